"""Included credits and tiers through claiming: months, carried usage, several invoices, voids."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.pricing.rating import LineKind, TierShare
from storage.accounts.policies import write_policy
from storage.claims.amendment import amend_invoice
from storage.claims.claims import claim_page, preview_page
from storage.invoices.invoices import load_invoice, move_invoice
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, cancellation, fetch, graduated, instance, june, may, scope

DAY_CREDITS = 1440  # one a minute


async def invoiced(db: Database, key: str) -> InvoiceRecord:
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def months(db: Database, key: str) -> dict[str, Decimal]:
    query = (
        "SELECT m.month, sum(m.credits) AS credits FROM invoice_month m JOIN invoice i ON i.id = m.invoice_id "
        "WHERE key = :key GROUP BY m.month"
    )
    rows = await fetch(db, query, key=key)
    return {row.month: row.credits for row in rows}


async def test_a_month_is_priced_by_its_schedule_and_the_line_says_how(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(4)), instance("b", may(2), may(3), workspace_class="xl"))
    (preview,) = await preview_page(db, scope(), graduated())
    (key,) = (await claim_page(db, scope(), graduated())).keys
    record = await invoiced(db, key)
    # 2,880 + 2,880 credits: 2,000 included, 1,000 at a cent, 2,760 at half a cent.
    assert record.amount == preview.priced.amount == 1000 + 1380
    usage, xl, tiers = (line.rated for line in record.lines)
    assert [usage.amount, xl.amount] == [2880, 2880]
    assert (tiers.kind, tiers.amount, tiers.duration_us) == (LineKind.TIERS, 2380 - 5760, 0)
    assert tiers.tiers == (
        TierShare(Decimal("2000.000000"), Decimal(0)),
        TierShare(Decimal("1000.000000"), Decimal("0.01")),
        TierShare(Decimal("2760.000000"), Decimal("0.005")),
    )
    assert await months(db, key) == {"2022-05": Decimal(5760)}


async def test_free_usage_of_may_does_not_use_up_junes_credits(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("may", may(2), may(3)))
    assert (await claim_page(db, scope(), graduated())).below_minimum == 1
    await add_instances(db, instance("june", may(40), may(42)))
    (key,) = (await claim_page(db, june(), graduated())).keys
    assert (await invoiced(db, key)).amount == 880  # of June's 2,880, 2,000 are free; all of May's 1,440
    assert await months(db, key) == {"2022-05": Decimal(DAY_CREDITS), "2022-06": Decimal(2 * DAY_CREDITS)}


async def test_the_months_invoices_share_its_credits_and_a_void_gives_its_part_back(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(4)), instance("b", may(10), may(11)))
    (first,) = (await claim_page(db, cancellation("sub_1", may(5)), graduated())).keys
    (second,) = (await claim_page(db, scope(), graduated())).keys
    assert [(await invoiced(db, key)).amount for key in (first, second)] == [880, 120 + 660]
    await move_invoice(db, second, InvoiceState.DELETED, may(40))
    await move_invoice(db, first, InvoiceState.VOIDED, may(40))
    (again,) = (await claim_page(db, scope(), graduated())).keys
    assert (await invoiced(db, again)).amount == 880 + 120 + 660


async def test_voiding_the_first_of_two_invoices_costs_nobody_the_included_credits(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(4)), instance("b", may(10), may(11)))
    (first,) = (await claim_page(db, cancellation("sub_1", may(5)), graduated())).keys
    (second,) = (await claim_page(db, scope(), graduated())).keys
    await move_invoice(db, first, InvoiceState.VOIDED, may(40))
    (again,) = (await claim_page(db, cancellation("sub_1", may(5)), graduated())).keys
    assert [(await invoiced(db, key)).amount for key in (again, second)] == [880, 120 + 660]


async def test_an_amendment_without_late_usage_changes_nothing(db: Database) -> None:
    await add_account(db)
    await write_policy(db, "team:a", AccountPolicy(finalization=Finalization.APPROVAL))
    await add_instances(db, instance("a", may(2), may(4)), instance("b", may(10), may(11)))
    (first,) = (await claim_page(db, cancellation("sub_1", may(5)), graduated())).keys
    await claim_page(db, scope(), graduated())
    await move_invoice(db, first, InvoiceState.DRAFT, may(40))
    again = cancellation("sub_1", may(5), attribution_id="team:a")
    assert not await amend_invoice(db, first, again, graduated())
    await add_instances(db, instance("late", may(4), may(5)))
    assert await amend_invoice(db, first, again, graduated())
    assert (await invoiced(db, first)).amount == 880 + 720  # what follows the second invoice's places costs half a cent


async def test_an_account_may_have_credits_of_its_own(db: Database) -> None:
    await add_account(db)
    await write_policy(db, "team:a", AccountPolicy(included_credits=Decimal(2800)))
    await add_instances(db, instance("a", may(2), may(4)))
    plain = graduated("0", tiers={}, price_per_credit={"usd": "0.01"})
    (key,) = (await claim_page(db, scope(), plain)).keys
    assert (await invoiced(db, key)).amount == 80


async def test_months_are_those_of_the_billing_zone(db: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    await add_account(db)
    await add_instances(db, instance("a", may(31.5), may(32.5)))
    (key,) = (await claim_page(db, june(zone=berlin), graduated("100"))).keys
    # May ends at 22:00 UTC: 600 credits are May's, 840 June's, each month with 100 of its own.
    assert await months(db, key) == {"2022-05": Decimal(600), "2022-06": Decimal(840)}
    assert (await invoiced(db, key)).amount == 500 + 740


async def test_a_plain_card_splits_nothing_by_month(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(30), may(34)))
    plain = graduated("0", tiers={}, price_per_credit={"usd": "0.01"})
    (key,) = (await claim_page(db, june(), plain)).keys
    assert await months(db, key) == {}
    assert len(await fetch(db, "SELECT * FROM claim")) == 1
