"""Windows of accounts from files: each has its own currency and kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from billing.invoice.states import InvoiceState
from billing.usage.rows import AccountRow
from storage.accounts.accounts import get_account, upsert_accounts
from storage.accounts.staging import staged_accounts
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.usage import add_instances, card, execute, fetch, instance, may, put_window, scope

KINDS = "SELECT lower(during) AS started, kind, currency FROM subscription ORDER BY lower(during)"


def row(line: int, **changes: Any) -> AccountRow:
    values: dict[str, Any] = {"stripe_customer_id": None, "currency": "usd"}
    return AccountRow(line=line, attribution_id="team:a", **{**values, **changes})


async def currency(db: Database) -> str:
    account = await get_account(db, "team:a")
    assert account is not None
    return account.currency


async def test_each_window_of_a_file_has_its_kind_and_currency(db: Database) -> None:
    trial = row(2, started=may(1), ended=may(5), kind="trial")
    dollars = row(3, started=may(5), ended=may(9))
    euros = row(4, started=may(12), currency="eur")
    for _ in range(2):
        assert await upsert_accounts(db, [trial, dollars, euros]) == []
        found = [tuple(each) for each in await fetch(db, KINDS)]
        assert found == [(may(1), "trial", "usd"), (may(5), "paid", "usd"), (may(12), "paid", "eur")]
        assert await currency(db) == "eur"  # the latest window's
    # An old window alone changes neither the account's currency nor other windows; a row without a kind keeps it.
    assert await upsert_accounts(db, [replace(trial, kind=None, currency="jpy")]) == []
    found = [tuple(each) for each in await fetch(db, KINDS)]
    assert found == [(may(1), "trial", "jpy"), (may(5), "paid", "usd"), (may(12), "paid", "eur")]
    assert await currency(db) == "eur"
    assert await upsert_accounts(db, [replace(trial, kind="paid")]) == []
    assert tuple((await fetch(db, KINDS))[0]) == (may(1), "paid", "usd")


async def test_a_file_with_two_currencies_is_imported_again_while_invoices_are_open(db: Database) -> None:
    rows = [row(2, started=may(1), ended=may(10)), row(3, started=may(12), currency="jpy")]
    assert await upsert_accounts(db, rows) == []
    await add_instances(db, instance("i", may(2), may(3)), instance("j", may(13), may(14)))
    assert len((await claim_page(db, scope(), card())).keys) == 2
    assert await upsert_accounts(db, rows) == []
    # What an invoice has billed keeps its currency.
    assert [each.column for each in await upsert_accounts(db, [row(2, started=may(1), currency="kwd")])] == ["currency"]
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["usd", "jpy"]


async def test_a_billed_windows_currency_stays_and_an_unbilled_ones_is_corrected(db: Database) -> None:
    first, second = row(2, started=may(1), ended=may(10)), row(3, started=may(20))
    await upsert_accounts(db, [first, second])
    await add_instances(db, instance("i", may(2), may(3)))
    (key,) = (await claim_page(db, scope(cutoff=may(11)), card())).keys
    await execute(db, "UPDATE invoice SET state = 'billed'")
    assert await upsert_accounts(db, [replace(second, currency="jpy")]) == []
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["usd", "jpy"]
    (fault,) = await upsert_accounts(db, [replace(first, currency="jpy")])
    assert (fault.column, fault.reason) == (
        "currency",
        "team:a's window from 2022-05-01T00:00:00Z was billed in usd: write usd, or void its invoices first",
    )
    await move_invoice(db, key, InvoiceState.VOIDED, may(33))
    assert await upsert_accounts(db, [replace(first, currency="jpy")]) == []
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["jpy", "jpy"]


async def test_another_window_in_a_later_file_leaves_the_others_their_currency(db: Database) -> None:
    await upsert_accounts(db, [row(2, started=may(1), ended=may(10))])
    await upsert_accounts(db, [row(2, started=may(12), currency="eur")])
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["usd", "eur"]
    assert await currency(db) == "eur"
    # A row without a window says the account's, and what is in the former one and not billed follows.
    await upsert_accounts(db, [row(2, currency="jpy")])
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["usd", "jpy"]


async def test_the_currency_of_a_subscriptions_window_is_stripes(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    await put_window(db, "team:a", "sub_1", may(1), None)
    (fault,) = await upsert_accounts(db, [row(2, started=may(1), currency="eur")])
    assert (fault.column, fault.reason) == (
        "currency",
        "team:a's window from 2022-05-01T00:00:00Z is in usd, as sub_1 says: change the subscription in Stripe",
    )
    assert [tuple(each)[2] for each in await fetch(db, KINDS)] == ["usd"]


async def test_the_kind_of_a_subscriptions_window_is_stripes(db: Database) -> None:
    await upsert_accounts(db, [row(2)])
    await put_window(db, "team:a", "sub_1", may(1), None)
    (fault,) = await upsert_accounts(db, [row(2, started=may(1), kind="trial")])
    assert (fault.column, fault.reason) == (
        "kind",
        "team:a's window from 2022-05-01T00:00:00Z is paid, as sub_1 says: change the subscription in Stripe",
    )


async def test_a_file_goes_through_the_staging_as_it_is(db: Database) -> None:
    rows = [row(2, started=may(1), ended=may(5), kind="trial"), row(3, started=may(12), currency="eur")]
    async with staged_accounts(db) as staging:
        await staging.add(rows)
        assert [batch async for batch in staging.batches(10)] == [rows]


async def test_a_trial_from_a_file_is_not_charged(db: Database) -> None:
    assert await upsert_accounts(db, [row(2, started=may(1), ended=may(5), kind="trial"), row(3, started=may(5))]) == []
    await add_instances(db, instance("i", may(2), may(7)))
    assert len((await claim_page(db, scope(), card())).keys) == 1
    assert tuple((await fetch(db, "SELECT lower(during), upper(during) FROM claim"))[0]) == (may(5), may(7))
