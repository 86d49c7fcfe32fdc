"""Whatever a person calls a thing leads to it, and to nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from billing.errors import InputError
from billing.invoice.credit_notes import CreditDestination
from storage.claims.claims import claim_page
from storage.invoices import disputes, refunds
from storage.invoices.disputes import DisputeRecord
from storage.invoices.invoices import load_invoice, record_draft
from storage.invoices.refunds import RefundRecord
from storage.invoices.stripe_credit_notes import StripeCreditNote, bring_in_step
from storage.lookup.finding import FoundKind, find
from storage.lookup.hosted import hosted_url, record_number
from storage.lookup.naming import account_id, credit_note_key, decision_subject, invoice_key, names_of
from storage.lookup.worth import worth_of
from storage.postgres.database import Database
from storage.postgres.roles import READER
from tests.storage.usage import HOUR_US, add_account, add_instances, card, instance, may, scope
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role

KEY = "2022-05/team:a/period"
NUMBER = "4F2D0C91-0001"
PAGE = "https://invoice.stripe.com/i/acct_1/test_1?s=ap"


@pytest.fixture
async def billed(db: Database) -> Database:
    """An invoice with everything that Stripe can call it by, and a second account of the same name."""
    await add_account(db)
    await add_account(db, "team:b")
    await add_instances(db, instance("i-1", may(1), may(3)))
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    async with db.transaction() as connection:
        await connection.execute(text("UPDATE account SET name = 'Aurora GmbH', stripe_customer_id = NULL"))
        await connection.execute(
            text("UPDATE account SET stripe_customer_id = 'cus_1' WHERE attribution_id = 'team:a'")
        )
        await connection.execute(
            text("UPDATE subscription SET stripe_subscription_id = 'sub_1' WHERE attribution_id = 'team:a'")
        )
        await connection.execute(text("UPDATE invoice SET replaces_stripe_invoice_id = 'in_0'"))
    await record_number(db, KEY, NUMBER, PAGE)
    refund = RefundRecord("re_1", None, 500, "usd", "succeeded", "", may(40))
    await refunds.record(db, stripe_invoice_ids=["in_1"], refunds=[refund])
    dispute = DisputeRecord("dp_1", 1, "usd", "general", "won", may(41), may(42))
    await disputes.record(db, stripe_invoice_ids=["in_1"], dispute=dispute)
    note = StripeCreditNote("cn_1", None, 100, CreditDestination.BALANCE, "late", may(41), None, ())
    await bring_in_step(db, "in_1", [note])
    return db


async def test_an_invoice_by_each_of_its_names(billed: Database) -> None:
    for own in (KEY, "in_1", "in_0", NUMBER, NUMBER.lower()):
        assert await invoice_key(billed, own) == KEY
    for part in ("re_1", "dp_1", "cn_1"):
        assert await invoice_key(billed, part, parts=True) == KEY
        with pytest.raises(InputError, match=f"of the invoice {KEY}: name the invoice itself"):
            await invoice_key(billed, part)  # a decision may be meant for the part
    assert await credit_note_key(billed, "cn_1") == f"{KEY}/credit/cn_1"
    for named, subject in (("in_1", KEY), ("cn_1", f"{KEY}/credit/cn_1"), ("cus_1", "team:a"), ("2022-05", "2022-05")):
        assert await decision_subject(billed, named) == subject


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("2022-05/team:a/perod", f"there is no invoice '2022-05/team:a/perod', the nearest is {KEY}: "),
        ("2022-06/team:a/period", f"the nearest is {KEY}"),
        ("in_2", "there is no invoice 'in_2': `perdure invoices list` shows their keys"),
        ("cus_1", f"'cus_1' is the account team:a, and no invoice: name one of its invoices, such as {KEY}"),
        ("team:b", "'team:b' is the account team:b, and no invoice: name one of its invoices, it has none"),
        ("ch_1", "'ch_1' is a payment, which Perdure does not store: name its invoice, refund or dispute"),
        ("a\0b", "there is no invoice"),
    ],
)
async def test_one_line_says_what_may_be_meant(billed: Database, wrong: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        await invoice_key(billed, wrong)
    assert message in str(refused.value)


async def test_a_number_that_two_invoices_have(billed: Database) -> None:
    await add_instances(billed, instance("i-2", may(1), may(3), attribution_id="team:b"))
    await claim_page(billed, scope(), card())
    await record_number(billed, "2022-05/team:b/period", NUMBER, None)
    with pytest.raises(InputError, match=f"names several invoices: {KEY}, 2022-05/team:b/period"):
        await invoice_key(billed, NUMBER)


async def test_an_account_by_each_of_its_names(billed: Database) -> None:
    for own in ("team:a", "cus_1", "sub_1"):
        assert await account_id(billed, own) == "team:a"
    with pytest.raises(InputError, match="is the name of several accounts: team:a, team:b; write the id"):
        await account_id(billed, "aurora gmbh")
    with pytest.raises(InputError, match="there is no account team:c, the nearest is team:"):
        await account_id(billed, "team:c")
    assert await names_of(billed, ["team:a", "team:x"]) == {"team:a": "Aurora GmbH"}


async def test_search_finds_each_kind_and_begins_with_what_is_exact(billed: Database) -> None:
    async def found(wanted: str) -> list[tuple[str, str, str | None]]:
        return [(str(each.kind), each.key, each.matched) for each in await find(billed, wanted)]

    accounts = [("account", "team:a", "Aurora GmbH"), ("account", "team:b", "Aurora GmbH")]
    assert await found("aUrOr") == accounts
    assert await found("team:a") == [("account", "team:a", None)]
    assert await found("TEAM:B") == [("account", "team:b", None)]
    assert await found("sub_1") == [("account", "team:a", "sub_1")]
    assert await found("2022-05/t") == [("invoice", KEY, None)]
    for stripes in ("in_1", NUMBER.lower(), "re_1", "dp_1"):
        assert await found(stripes) == [("invoice", KEY, stripes)]
    assert await found("cn_1") == [("credit_note", f"{KEY}/credit/cn_1", "cn_1")]
    assert await found("i-") == [("instance", "i-1", None)]
    assert await found("%") == await found("  ") == await found("\0") == []
    (invoice,) = await find(billed, "in_1")
    assert (invoice.kind, invoice.account_name, invoice.currency) == (FoundKind.INVOICE, "Aurora GmbH", "usd")
    assert await find(billed, "team", limit=1) == (await find(billed, "team"))[:1]


async def test_the_hosted_page_and_the_name_come_with_the_invoice(billed: Database) -> None:
    record = await load_invoice(billed, KEY)
    assert record is not None
    assert (record.stripe_number, record.account_name) == (NUMBER, "Aurora GmbH")
    assert await hosted_url(billed, record.id) == PAGE
    await record_number(billed, KEY, NUMBER, None)
    assert await hosted_url(billed, record.id) == PAGE  # kept


async def test_what_usage_was_billed_for(billed: Database) -> None:
    """A credit a minute, a cent a credit: the whole of the line's two days, and an hour of them."""
    record = await load_invoice(billed, KEY)
    assert record is not None
    assert await worth_of(billed, KEY, 1, "i-1", 48 * HOUR_US) == (record.amount, "usd") == (2880, "usd")
    assert await worth_of(billed, KEY, 1, "i-1", HOUR_US) == (60, "usd")
    assert await worth_of(billed, KEY, 2, "i-1", HOUR_US) is None
    async with billed.transaction() as connection:
        await connection.execute(text("UPDATE invoice_line SET kind = 'tiers', tiers = '[]'"))
    assert await worth_of(billed, KEY, 1, "i-1", HOUR_US) is None


async def test_a_reader_finds_the_same_but_no_address(billed: Database, module_database: FreshDatabase) -> None:
    record = await load_invoice(billed, KEY)
    assert record is not None
    reader = Database(as_role(module_database.urls[0], READER), 1)
    try:
        assert await hosted_url(reader, record.id) is None  # who has it sees the customer's details
        assert await find(reader, NUMBER) == await find(billed, NUMBER)
        assert await account_id(reader, "sub_1") == "team:a"
        assert await worth_of(reader, KEY, 1, "i-1", HOUR_US) == (60, "usd")
    finally:
        await reader.close()
