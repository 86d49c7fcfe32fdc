"""Corrections in Postgres: what is cut and priced again comes to what is known now, to the cent, and once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.accounts.windows import WindowKind
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.states import InvoiceState
from storage.accounts.accounts import NewAccount
from storage.claims.claims import claim_page
from storage.decisions.trail import DecisionKind, list_decisions
from storage.invoices.credit_notes import request_credit
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.corrections.correcting import (
    KEY,
    bill,
    claims,
    correct,
    invoiced,
    misbilled,
    notes,
    plan,
    replace_facts,
)
from tests.storage.usage import (
    DAY,
    add_account,
    add_instances,
    card,
    fetch,
    instance,
    june,
    may,
    put_window,
)


async def rows_of(db: Database) -> dict[str, list[object]]:
    """Return all rows that a correction could write."""
    tables = ("claim", "claim_history", "correction", "credit_note", "adjustment", "invoice_month", "decision")
    return {table: await fetch(db, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}


async def test_a_stop_that_was_late_is_credited_once(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(15)), pay=True)
    await add_instances(db, instance("a", may(15), may(16)))
    assert await misbilled(db) == ["outside_runtime"]
    before = await rows_of(db)
    planned = await plan(db)
    assert (planned.owed.billed, planned.amount, planned.offset.net) == (17 * DAY, DAY, -16 * DAY)
    assert await rows_of(db) == before
    assert await correct(db) is not None
    assert [(note.key, note.amount, note.parts) for note in await notes(db)] == [
        (f"{KEY}/credit/correction-1", 16 * DAY, {1: 16 * DAY})
    ]
    assert await claims(db) == [("a", may(15), may(16), None, None)]
    assert await misbilled(db) == []
    after = await rows_of(db)
    assert await correct(db) is None
    assert await rows_of(db) == after
    (decision,) = await list_decisions(db, limit=9)
    assert (decision.kind, decision.subject, decision.decided_by) == (DecisionKind.CORRECT, f"{KEY}/correction/1", "me")


async def test_cut_time_is_billed_again_if_the_facts_change_back(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)))
    await replace_facts(db, instance("a", may(2), may(3)))
    await correct(db)
    await replace_facts(db, instance("a", may(2), may(6)))
    assert await correct(db) is None
    (again,) = await bill(db, card(), of=june())
    assert (await invoiced(db, again)).amount == 3 * DAY
    assert await claims(db, again) == [("a", may(3), may(6), None, None)]


async def test_another_class_is_charged_more_and_back_again_nothing(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)))
    await replace_facts(db, instance("a", may(2), may(4), workspace_class="xl"))
    assert await misbilled(db) == ["other_class"]
    made = await correct(db)
    assert made is not None
    assert (made.amount, made.net, made.adjustment, made.adjustment_state) == (4 * DAY, 2 * DAY, 2 * DAY, "waiting")
    assert await claims(db) == [("a", may(2), may(4), "xl", None)]
    assert await misbilled(db) == []
    assert await correct(db) is None

    await replace_facts(db, instance("a", may(2), may(4)))
    assert await misbilled(db) == ["other_class"]
    back = await correct(db)
    assert back is not None
    assert (back.amount, back.net, back.adjustment, back.credit_notes) == (2 * DAY, 0, None, ())
    assert await fetch(db, "SELECT state FROM adjustment") == [("withdrawn",)]
    assert await claims(db) == [("a", may(2), may(4), None, None)]
    assert await misbilled(db) == []


async def test_a_cheaper_class_is_credited_on_the_line_that_billed_it(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)), instance("x", may(2), may(4), workspace_class="xl"))
    await replace_facts(db, instance("x", may(2), may(4)))
    made = await correct(db)
    assert made is not None
    assert made.net == -2 * DAY
    assert [note.parts for note in await notes(db)] == [{2: 2 * DAY}]
    assert [(line.rated.workspace_class, line.rated.amount) for line in made.lines] == [("default", 4 * DAY)]


async def test_quantities_and_stretches_are_corrected_piece_by_piece(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6), quantity=Decimal(2)))
    await replace_facts(db, instance("a", may(2), may(5), quantity=Decimal("1.5")))
    made = await correct(db)
    assert made is not None
    assert (made.amount, made.net) == (DAY * 9 // 2, DAY * 9 // 2 - 8 * DAY)
    assert await claims(db) == [("a", may(2), may(5), None, "1.5")]
    kept = await fetch(db, "SELECT lower(billed_during), upper(billed_during), quantity, line_no FROM claim")
    assert kept == [(may(2), may(6), 2, 1)]
    cut = await fetch(
        db, "SELECT lower(during), upper(during), upper(billed_during), quantity, reason FROM claim_history"
    )
    assert cut == [(may(5), may(6), may(6), 2, "corrected")]
    await replace_facts(db, instance("a", may(2), may(4), quantity=Decimal("1.5")))
    assert (await correct(db)) is not None
    assert await fetch(db, "SELECT DISTINCT upper(billed_during) FROM claim_history") == [(may(6),)]


async def test_time_outside_of_a_window_that_ended_earlier_is_cut(db: Database) -> None:
    await put_window(db, "team:a", "sub_a", may(1), None, new=NewAccount("cus_a", "usd", may(1)))
    await bill(db, card(), instance("a", may(2), may(6)))
    await put_window(db, "team:a", "sub_a", may(1), may(5))
    assert await misbilled(db) == ["outside_windows"]
    made = await correct(db)
    assert made is not None
    assert made.net == -DAY
    assert (await claim_page(db, june(), card())).keys == ()
    await put_window(db, "team:a", "sub_a", may(1), may(4), (may(2), may(3), WindowKind.TRIAL))
    assert await misbilled(db) == ["outside_windows", "trial"]
    made = await correct(db)
    assert made is not None
    assert made.net == -2 * DAY
    assert await claims(db) == [("a", may(3), may(4), None, None)]


async def test_time_of_another_payer_is_cut_and_billed_to_them(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await bill(db, card(), instance("a", may(2), may(4)), instance("b", may(2), may(4)))
    await replace_facts(db, instance("b", may(2), may(4), attribution_id="team:b"))
    made = await correct(db)
    assert made is not None
    assert made.net == -2 * DAY
    (other,) = await bill(db, card(), of=june())
    assert other == "2022-06/team:b/period"
    assert await claims(db, other) == [("b", may(2), may(4), None, None)]


@pytest.mark.parametrize(("currency", "net"), [("jpy", -1440), ("kwd", -14400)])
async def test_amounts_are_in_the_currencys_steps(db: Database, currency: str, net: int) -> None:
    await add_account(db, currency=currency)
    await bill(db, card(), instance("a", may(2), may(4, us=7)))
    await replace_facts(db, instance("a", may(2), may(3, us=11)))
    made = await correct(db)
    assert made is not None
    assert made.net == net


async def test_what_was_credited_before_is_not_credited_again(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)), instance("b", may(2), may(3)))
    await request_credit(db, KEY, CreditOrder(CreditKind.AMOUNT, "outage", amount=1000))
    await request_credit(db, KEY, CreditOrder(CreditKind.INSTANCE, "never answered", instance_id="b"))
    await replace_facts(db, instance("a", may(2), may(3)))
    made = await correct(db)
    assert made is not None
    assert made.net == -(3 * DAY - 1000 - DAY)
    assert await correct(db) is None


async def test_a_credit_that_already_was_the_difference_leaves_nothing_but_the_cut(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)))
    await request_credit(db, KEY, CreditOrder(CreditKind.AMOUNT, "too long", amount=3 * DAY))
    assert await correct(db) is None  # a credit alone is no reason to charge it back
    await replace_facts(db, instance("a", may(2), may(3)))
    made = await correct(db)
    assert made is not None
    assert (made.net, made.credit_notes, made.adjustment) == (0, (), None)
    assert await misbilled(db) == []


async def test_another_rate_card_counts_only_on_request(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)))
    dearer = card(price_per_credit={"usd": "0.02"})
    cheaper = card(price_per_credit={"usd": "0.005"})
    assert await correct(db) is None
    made = await correct(db, present=cheaper)
    assert made is not None
    assert (made.net, made.repriced, made.rate_card_digest) == (-DAY, True, cheaper.digest)
    assert await correct(db, present=cheaper) is None
    assert await correct(db) is None  # what a person had priced by another card stays so
    dear = await correct(db, present=dearer)
    assert dear is not None
    assert (dear.amount, dear.net) == (4 * DAY, 3 * DAY)


async def test_an_adjustment_that_was_charged_is_given_back_where_it_was_charged(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)))
    await replace_facts(db, instance("a", may(2), may(4), workspace_class="xl"))
    made = await correct(db)
    assert made is not None
    (later,) = await bill(db, card(), instance("b", may(40), may(41)), of=june())
    assert await correct(db) is None
    # Three of the four days' worth are to be given back: two on the invoice itself, one where it was charged.
    await replace_facts(db, instance("a", may(2), may(3)))
    again = await correct(db)
    assert again is not None
    assert (again.amount, again.net) == (DAY, -3 * DAY)
    assert [(note.amount, note.parts) for note in await notes(db)] == [(2 * DAY, {1: 2 * DAY})]
    assert [(note.amount, note.parts) for note in await notes(db, later)] == [(DAY, {2: DAY})]
    assert len(again.credit_notes) == 2
    assert await correct(db) is None


async def test_two_adjustments_that_one_invoice_charges_are_given_back_by_one_credit_note(db: Database) -> None:
    """The invoice that had charged the first one was voided, so that the next one charges both."""
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(3)))
    await replace_facts(db, instance("a", may(2), may(3), quantity=Decimal(2)))
    assert await correct(db) is not None
    (first,) = await bill(db, card(), instance("b", may(40), may(41)), of=june())
    await replace_facts(db, instance("a", may(2), may(3), quantity=Decimal(4)))
    assert await correct(db) is not None
    await move_invoice(db, first, InvoiceState.VOIDED, may(70))
    (later,) = await bill(db, card(), of=june())
    assert [line.rated.amount for line in (await invoiced(db, later)).lines] == [DAY, DAY, 2 * DAY]
    await replace_facts(db, instance("a", may(2), may(3), quantity=Decimal("0.5")))
    assert await correct(db) is not None
    assert [note.parts for note in await notes(db)] == [{1: DAY}]
    assert [note.parts for note in await notes(db, later)] == [{2: DAY // 2, 3: 2 * DAY}]
    assert await correct(db) is None
