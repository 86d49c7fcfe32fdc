"""What a correction charges in addition is a line of the account's next invoice in that currency, exactly once."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from billing.invoice.limits import Limits
from billing.invoice.policy import AccountPolicy, Finalization, Policy
from billing.invoice.states import InvoiceState
from billing.pricing.rating import ADJUSTMENT_CLASS
from storage.accounts.policies import write_policy
from storage.claims.amendment import amend_invoice
from storage.claims.claims import claim_page, preview_page
from storage.invoices.decisions import request_void
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from storage.totals.totals import invoice_days
from tests.storage.adjusting import AGAIN, CARD, JUNE, MAY, adjustments, amounts, charging, found_by_audit, load, owe
from tests.storage.audits import BILLED, move
from tests.storage.usage import (
    DAY,
    add_account,
    add_instances,
    cancellation,
    card,
    graduated,
    instance,
    june,
    may,
    put_window,
    scope,
)

S = InvoiceState


async def test_the_next_invoice_charges_it(owing: Database) -> None:
    db = owing
    (preview,) = await preview_page(db, june(), CARD)
    assert preview.priced.amount == DAY + 700
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "waiting", None)]
    assert (await claim_page(db, june(), CARD)).amounts == {"usd": DAY + 700}
    assert await amounts(db, JUNE) == [("usage", DAY, None), charging()]
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]
    line = (await load(db, JUNE)).lines[-1]
    assert (line.rated.workspace_class, line.rated.duration_us, line.rated.credits) == (ADJUSTMENT_CLASS, 0, Decimal(0))
    assert preview.priced.lines[-1] == line.rated
    assert line.carried_us == 0
    await move(db, JUNE, *BILLED)
    assert await found_by_audit(db) == []


async def test_a_cancellation_charges_it_and_the_period_then_has_none(owing: Database) -> None:
    db = owing
    (key,) = (await claim_page(db, cancellation("sub_1", may(40), period="2022-06"), CARD)).keys
    assert await amounts(db, key) == [("usage", DAY, None), charging()]
    assert (await claim_page(db, june(), CARD)).keys == ()


async def test_two_runs_at_the_same_time_charge_it_once(owing: Database) -> None:
    db = owing
    scopes = [
        cancellation("sub_1", may(62), period="2022-06"),
        june(),
        cancellation("sub_2", may(62), period="2022-06"),
    ]
    results = await asyncio.gather(*(claim_page(db, each, CARD) for each in scopes))
    (key,) = (key for result in results for key in result.keys)
    assert (await load(db, key)).amount == DAY + 700
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", key)]


@pytest.mark.parametrize("state", [S.VOIDED, S.DELETED])
async def test_the_invoice_after_a_dead_one_charges_it_again(owing: Database, state: InvoiceState) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await move_invoice(db, JUNE, state, may(63))
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "waiting", None)]
    assert await owe(db, MAY, 30) == f"{MAY}/correction/2"
    await claim_page(db, june(), CARD)
    assert await amounts(db, AGAIN) == [("usage", DAY, None), charging(730, 2)]
    withdrawn, charged = await adjustments(db)
    assert (withdrawn[2:], charged[2:]) == (("withdrawn", None), ("charged", AGAIN))
    await move(db, AGAIN, *BILLED)
    assert await found_by_audit(db) == []


async def test_what_is_written_off_is_never_charged_again(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await request_void(db, JUNE, by="op", reason="goodwill", write_off=True)
    await move_invoice(db, JUNE, S.DELETED, may(63))
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]
    assert (await claim_page(db, june(), CARD)).keys == ()


async def test_a_dead_invoice_can_still_be_written_off_with_it(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await move_invoice(db, JUNE, S.DELETED, may(63))
    await request_void(db, JUNE, by="op", reason="goodwill", write_off=True)
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]
    assert (await claim_page(db, june(), CARD)).keys == ()


@pytest.mark.parametrize("charged", [False, True], ids=["waiting", "charged by an invoice that dies later"])
async def test_it_is_withdrawn_when_the_corrected_invoice_dies(owing: Database, charged: bool) -> None:
    """The usage of the corrected invoice is billed again, as a whole."""
    db = owing
    if charged:
        await claim_page(db, june(), CARD)
    await move_invoice(db, MAY, S.VOIDED, may(63))
    if charged:
        assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]
        await move_invoice(db, JUNE, S.VOIDED, may(63))
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "withdrawn", None)]
    await claim_page(db, june(), CARD)
    assert await amounts(db, AGAIN if charged else JUNE) == [("usage", 2 * DAY, None)]


@pytest.mark.parametrize(("amount", "made"), [(50, True), (49, False)])
async def test_an_adjustment_alone_makes_an_invoice_from_the_minimum_on(db: Database, amount: int, made: bool) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)))
    await claim_page(db, scope(), CARD)
    await move(db, MAY, *BILLED)
    await owe(db, MAY, amount)
    (preview,) = await preview_page(db, june(), CARD)
    result = await claim_page(db, june(), CARD)
    assert result.keys == ((JUNE,) if made else ())
    assert result.below_minimum == (not made)
    if made:
        assert await amounts(db, JUNE) == [charging(amount)]
        await move(db, JUNE, *BILLED)
        assert [(each.day, each.amount) for each in await invoice_days(db, JUNE)] == [(may(61).date(), amount)]
    else:
        assert "0.49 USD is below the minimum charge of 0.50 USD" in preview.reason
        await add_instances(db, instance("late", may(34), may(35)))
        await claim_page(db, june(), CARD)
        assert await amounts(db, JUNE) == [("usage", DAY, None), charging(49)]
    assert await found_by_audit(db) == []


async def test_usage_below_the_minimum_is_charged_with_it(owing: Database) -> None:
    db = owing
    dear = card(minimum_charge={"usd": "20"})
    assert (await claim_page(db, june(), dear)).keys == (JUNE,)  # 14.40 and 7.00


async def test_it_goes_to_the_invoice_in_its_currency(db: Database) -> None:
    await add_account(db, "team:a", (may(-29), may(32)), currency="usd")
    await put_window(db, "team:a", "sub_1", may(32), None, currency="kwd")
    await add_instances(
        db, instance("a", may(2), may(3)), instance("b", may(40), may(41)), instance("c", may(3), may(4))
    )
    await claim_page(db, scope(), CARD)
    await move(db, MAY, *BILLED)
    await owe(db, MAY, 700)
    result = await claim_page(db, june(), CARD)
    assert result.keys == (JUNE, f"{JUNE}/kwd")
    assert await amounts(db, JUNE) == [charging()]
    assert [kind for kind, _, _ in await amounts(db, f"{JUNE}/kwd")] == ["usage"]


async def test_tiers_count_without_it(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(5)), instance("b", may(35), may(38)))
    await claim_page(db, scope(), graduated())
    await move(db, MAY, *BILLED)
    await owe(db, MAY, 700)
    await claim_page(db, june(), graduated())
    may_lines, june_lines = await amounts(db, MAY), await amounts(db, JUNE)
    assert june_lines == [*may_lines, charging()]
    await move(db, JUNE, *BILLED)
    assert await found_by_audit(db, graduated()) == []


async def test_limits_count_it_in_the_amount_and_not_as_carried_usage(owing: Database) -> None:
    db = owing
    held = Policy(limits=Limits(amount={"usd": DAY + 699}, carried_share=Decimal("0.01")))
    (preview,) = await preview_page(db, june(policy=held), CARD)
    assert "21.40 USD" in preview.hold
    assert "earlier" not in preview.hold
    assert (preview.carried_amount, preview.counted_amount) == (0, 0)


async def test_an_amended_draft_keeps_it_and_takes_what_came_since(owing: Database) -> None:
    db = owing
    await write_policy(db, "team:a", AccountPolicy(finalization=Finalization.APPROVAL))
    await claim_page(db, june(), CARD)
    await move_invoice(db, JUNE, S.DRAFT, may(63))
    again = june(attribution_id="team:a")
    assert not await amend_invoice(db, JUNE, again, CARD)
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]
    await add_instances(db, instance("late", may(36), may(37)))
    assert await amend_invoice(db, JUNE, again, CARD)
    assert await amounts(db, JUNE) == [("usage", 2 * DAY, None), charging()]
    await move_invoice(db, JUNE, S.DRAFT, may(63))
    await owe(db, MAY, 30)
    assert await amend_invoice(db, JUNE, again, CARD)
    assert await amounts(db, JUNE) == [("usage", 2 * DAY, None), charging(), charging(30, 2)]
    assert {each[2:] for each in await adjustments(db)} == {("charged", JUNE)}
    assert await found_by_audit(db) == []
