"""Corrections are decided once, on what a person has seen, and on invoices that can be corrected."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from billing.accounts.windows import PAID_ALONE
from billing.audit.checks import Check
from billing.audit.kinds import Kind
from billing.correction.order import CorrectionOrder
from billing.errors import InputError
from billing.invoice.policy import Policy, UnknownClass
from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.corrections.candidates import correction_candidates
from storage.corrections.recording import record_correction
from storage.invoices.credit_states import block_credit_note, withdraw_credit_note
from storage.invoices.invoices import move_invoice, record_draft
from storage.postgres.database import Database
from tests.storage.audits import audit
from tests.storage.corrections.correcting import KEY, bill, correct, notes, plan, replace_facts, scope_of
from tests.storage.usage import DAY, add_account, add_instances, card, instance, june, may, scope


async def test_a_blocked_credit_note_of_a_correction_is_decided_on_first(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)))
    await replace_facts(db, instance("a", may(2), may(5)))
    await correct(db)
    key = f"{KEY}/credit/correction-1"
    await block_credit_note(db, key, "refused")
    await replace_facts(db, instance("a", may(2), may(4)))
    with pytest.raises(InputError, match=r"correction-1 of an earlier correction is blocked: retry or withdraw"):
        await plan(db)
    await withdraw_credit_note(db, key)
    made = await correct(db)
    assert made is not None
    assert made.net == -2 * DAY


async def test_requests_at_once_are_one_correction(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)))
    await replace_facts(db, instance("a", may(2), may(3)))
    order, own = CorrectionOrder(1, -3 * DAY), await scope_of(db, KEY)
    found = await asyncio.gather(*(record_correction(db, KEY, order, own, None, by="me") for _ in range(4)))
    assert sorted(each.made for each in found) == [False, False, False, True]
    assert {each.key for each in found} == {f"{KEY}/correction/1"}
    assert [note.amount for note in await notes(db)] == [3 * DAY]


async def test_facts_that_have_changed_since_the_plan_are_seen_first(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(6)))
    await replace_facts(db, instance("a", may(2), may(3)))
    with pytest.raises(InputError, match=r"differs by -43\.20 USD now, no longer by -28\.80 USD"):
        await record_correction(db, KEY, CorrectionOrder(1, -2 * DAY), await scope_of(db, KEY), None, by="me")
    assert await notes(db) == []


async def test_only_a_finalized_invoice_that_stays_is_corrected(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(6)))
    await claim_page(db, scope(), card())
    with pytest.raises(InputError, match="is claimed, not finalized: wait until it is, or void it"):
        await plan(db)
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, InvoiceState.FINALIZED, may(32))
    await replace_facts(db, instance("a", may(2), may(3)))
    assert await correct(db) is not None
    await move_invoice(db, KEY, InvoiceState.VOIDED, may(33))
    with pytest.raises(InputError, match="is voided: its usage is billed again by the next run"):
        await plan(db)


async def test_a_class_that_the_card_lacks_is_not_priced_by_a_guess(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)))
    await replace_facts(db, instance("a", may(2), may(4), workspace_class="gpu"))
    holds = replace(Policy(), unknown_class=UnknownClass.HOLD)
    with pytest.raises(InputError, match="class gpu is not on the rate card"):
        await plan(db, policy=holds)
    wider = card(credits_per_minute={"default": "1", "gpu": "3"})
    made = await correct(db, present=wider, policy=holds)
    assert made is not None
    assert made.net == 4 * DAY


async def adjustments_found(db: Database) -> list[str | None]:
    _, findings = await audit(db, Check.LINES_AND_INVOICES)
    return [each.invoice_key for each in findings if each.kind == Kind.ADJUSTMENT_DIFFERS]


async def test_what_a_dead_invoice_charges_elsewhere_is_credited_there(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), instance("a", may(2), may(4)))
    await replace_facts(db, instance("a", may(2), may(4), workspace_class="xl"))
    made = await correct(db)
    assert made is not None
    (later,) = await bill(db, card(), instance("b", may(40), may(41)), of=june())
    await move_invoice(db, KEY, InvoiceState.VOIDED, may(45))
    assert await adjustments_found(db) == [KEY]
    assert await correction_candidates(db, PAID_ALONE, "2022-05") == [KEY]
    again = await correct(db)
    assert again is not None
    assert (again.amount, again.net) == (0, -made.net)
    assert [note.amount for note in await notes(db, later)] == [made.net]
    assert await adjustments_found(db) == []
    assert await correction_candidates(db, PAID_ALONE, "2022-05") == []
    with pytest.raises(InputError, match="is voided"):
        await plan(db)
