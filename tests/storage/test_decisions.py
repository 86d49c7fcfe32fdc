"""Decisions are idempotent: when a worker dies after recording one, recording it again is not refused."""

from __future__ import annotations

import pytest

from billing.errors import DecisionRefusedError
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.accounts.policies import NotHeldError, approve_period, hold_period, read_hold, write_policy
from storage.claims.claims import claim_page
from storage.decisions.trail import DecisionKind, list_decisions
from storage.invoices.decisions import approve_invoice, rebuild_invoice, request_void
from storage.invoices.invoices import block_invoice, load_invoice, move_invoice, record_draft, resume_invoice
from storage.lookup.hosted import hosted_url, record_number
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

S = InvoiceState
FOUND = (800, "a digest")


async def edited(db: Database) -> str:
    """Return an invoice that is blocked because a person changed it to 8.00 in Stripe."""
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    (key,) = (await claim_page(db, scope(), card())).keys
    await record_draft(db, key, "in_1", "cus_1")
    await block_invoice(db, key, "edited", found=FOUND)
    return key


async def load(db: Database, key: str) -> InvoiceRecord:
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def test_what_was_found_in_stripe_is_accepted_twice(db: Database) -> None:
    key = await edited(db)
    await approve_invoice(db, key, 800, "ann")
    first = await load(db, key)
    await approve_invoice(db, key, 800, "ann")
    assert await load(db, key) == first
    assert (first.accepted_subtotal, first.found_subtotal) == (800, None)
    with pytest.raises(DecisionRefusedError):
        await approve_invoice(db, key, 801, "ann")


async def test_each_decision_is_recorded_once_with_who_and_why(db: Database) -> None:
    """In the decision's own transaction: what is refused or repeated leaves no trace."""
    key = await edited(db)
    with pytest.raises(DecisionRefusedError):
        await approve_invoice(db, key, 801, "eve")
    for _ in range(2):
        await approve_invoice(db, key, 800, "ann", "agreed by phone")
    await resume_invoice(db, key)
    for write_off in (False, True, True):
        await request_void(db, key, by="bob", reason="wrong month", write_off=write_off)
    await hold_period(db, "2022-05", "too much", {"usd": 864})
    for _ in range(2):
        await approve_period(db, "2022-05", {"usd": 864}, "cem", "checked")
    found = await list_decisions(db, limit=9)
    assert [(each.kind, each.subject, each.decided_by, each.reason) for each in found] == [
        (DecisionKind.APPROVE_PERIOD, "2022-05", "cem", "checked"),
        (DecisionKind.WRITE_OFF, key, "bob", "wrong month"),
        (DecisionKind.VOID, key, "bob", "wrong month"),
        (DecisionKind.ACCEPT, key, "ann", "agreed by phone"),
    ]
    (first, second, third, *_) = found
    assert await list_decisions(db, subject=key, before=first.id, limit=2) == [second, third]


async def test_the_accepted_is_blocked_once_more_and_resumed(db: Database) -> None:
    """The worker that blocked it died, and the block is recorded again after the decision."""
    key = await edited(db)
    await approve_invoice(db, key, 800, "ann")
    await block_invoice(db, key, "edited", found=FOUND)
    assert await resume_invoice(db, key) is S.DRAFT
    record = await load(db, key)
    assert (record.accepted_subtotal, record.found_subtotal, record.found_digest) == (800, None, None)


async def test_an_invoice_is_rebuilt_twice(db: Database) -> None:
    key = await edited(db)
    await rebuild_invoice(db, key, "ann")
    first = await load(db, key)
    await rebuild_invoice(db, key, "ann")
    assert await load(db, key) == first
    assert (first.state, first.replaces_stripe_invoice_id) == (S.CLAIMED, "in_1")


async def test_a_rebuilt_invoice_has_neither_number_nor_page_of_the_one_before(db: Database) -> None:
    key = await edited(db)
    await record_number(db, key, "ACME-0001", "https://invoice.stripe.com/i/1")
    assert await hosted_url(db, (await load(db, key)).id) is not None
    await rebuild_invoice(db, key, "ann")
    record = await load(db, key)
    assert (record.stripe_number, await hosted_url(db, record.id)) == (None, None)
    await record_number(db, key, "ACME-0002", "https://invoice.stripe.com/i/2")
    assert await hosted_url(db, record.id) == "https://invoice.stripe.com/i/2"


async def test_an_invoice_on_a_subscriptions_draft_is_rebuilt_twice(db: Database) -> None:
    await add_account(db)
    await write_policy(db, "team:a", AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION))
    await add_instances(db, instance("i", may(2), may(3)))
    of_draft = scope(
        reason=InvoiceReason.SUBSCRIPTION, subject="in_1", attribution_id="team:a", stripe_invoice_id="in_1"
    )
    (key,) = (await claim_page(db, of_draft, card())).keys
    with pytest.raises(DecisionRefusedError, match="nothing to rebuild"):
        await rebuild_invoice(db, key, "ann")
    await record_draft(db, key, "in_1", "cus_1")
    await block_invoice(db, key, "edited", found=FOUND)
    await rebuild_invoice(db, key, "ann")
    first = await load(db, key)
    await rebuild_invoice(db, key, "ann")
    assert await load(db, key) == first
    assert (first.state, first.revision) == (S.CLAIMED, 2)


async def test_a_void_is_requested_twice(db: Database) -> None:
    key = await edited(db)
    await request_void(db, key, by="ann", reason="a test", write_off=False)
    await request_void(db, key, by="bob", reason="another", write_off=False)
    record = await load(db, key)
    assert (record.void_requested_by, record.void_reason) == ("ann", "a test")


async def test_a_payment_withdraws_a_void_that_was_requested_too_late(db: Database) -> None:
    """The payment's event can come between the request and its step: nothing is left that seems to wait for a void."""
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    (key,) = (await claim_page(db, scope(), card())).keys
    await record_draft(db, key, "in_1", "cus_1")
    for state in (S.FINALIZED, S.BILLED):
        await move_invoice(db, key, state, may(33))
    await request_void(db, key, by="ann", reason="a test", write_off=True)
    await move_invoice(db, key, S.PAID, may(34))
    record = await load(db, key)
    assert (record.state, record.void_requested_at, record.void_reason, record.written_off) == (
        S.PAID,
        None,
        None,
        False,
    )


async def test_a_period_is_approved_twice_at_the_same_totals_alone(db: Database) -> None:
    with pytest.raises(NotHeldError):
        await approve_period(db, "2022-05", {"usd": 864}, "ann")
    await hold_period(db, "2022-05", "too much", {"usd": 864})
    await approve_period(db, "2022-05", {"usd": 864}, "ann")
    first = await read_hold(db, "2022-05")
    await approve_period(db, "2022-05", {"usd": 864}, "bob")
    assert await read_hold(db, "2022-05") == first
    with pytest.raises(NotHeldError):
        await approve_period(db, "2022-05", {"usd": 1}, "ann")
    await hold_period(db, "2022-05", "too much", {"usd": 900})
    with pytest.raises(NotHeldError, match="have changed"):
        await approve_period(db, "2022-05", {"usd": 864}, "ann")
