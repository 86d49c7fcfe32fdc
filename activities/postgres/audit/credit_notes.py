"""Reconciles Stripe's credit notes with Postgres: what differs is compared again before it is a finding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.postgres.audit.runs import scope_of
from activities.step import step
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.invoice.credit_notes import CreditNoteState
from billing.money import format_amount
from contracts.messages.audit import (
    AuditPage,
    AuditRef,
    CreditNoteSuspects,
    JudgeCreditNotes,
    Judged,
    PageAudited,
    StageCreditNotes,
    StripeCreditNoteFacts,
)
from contracts.names import Activities
from reconciliation.comparison import compare_again_after, in_motion
from settings import Settings
from storage.audit import stripe as store
from storage.audit.stripe import DifferingCreditNote, StagedCreditNote
from storage.postgres.database import Database

_SUSPECTS_A_PAGE = 20
_MOST_OF_AN_INVOICE = 1000


class CreditNoteAuditActivities:
    """Stages and judges credit notes. Idempotent: a repeated step replaces what an earlier attempt stored."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._quiet = timedelta(seconds=settings.audit_settle_seconds)

    @activity.defn(name=Activities.STAGE_STRIPE_CREDIT_NOTES)
    async def stage(self, page: StageCreditNotes) -> PageAudited:
        """Store a page of Stripe's list."""
        async with step():
            await store.stage_credit_notes(self._db, page.audit.audit_id, [_staged(each) for each in page.credit_notes])
            return PageAudited(through=None, figures={})

    @activity.defn(name=Activities.LIST_SUSPECT_CREDIT_NOTES)
    async def suspects(self, page: AuditPage) -> CreditNoteSuspects:
        """Return the next Stripe invoices whose credit notes differ from ours."""
        async with step():
            ref = page.audit
            found = await store.differing_credit_notes(
                self._db, ref.audit_id, scope_of(ref), after=page.after, limit=_SUSPECTS_A_PAGE
            )
            ids = list(dict.fromkeys(each.stripe_invoice_id for each in found))
            return CreditNoteSuspects(
                stripe_invoice_ids=ids, through=ids[-1] if len(found) == _SUSPECTS_A_PAGE else None
            )

    @activity.defn(name=Activities.JUDGE_STRIPE_CREDIT_NOTES)
    async def judge(self, judged: JudgeCreditNotes) -> Judged:
        """Compare an invoice's credit notes as both sides have them now."""
        async with step():
            audit_id, invoice = judged.audit.audit_id, judged.stripe_invoice_id
            staged = [_staged(each) for each in judged.credit_notes]
            await store.stage_credit_notes(self._db, audit_id, staged, invoice)
            found = await store.differing_credit_notes(
                self._db, audit_id, scope_of(judged.audit), stripe_invoice_id=invoice, limit=_MOST_OF_AN_INVOICE
            )
            listed = {each.stripe_credit_note_id: each for each in judged.credit_notes}
            moving = [] if judged.at_last else [each for each in found if self._moves(each, listed)]
            if found and not moving:
                findings = [_finding(each) for each in found]
                await store.record_credit_notes(self._db, audit_id, found[0].invoice_key, findings)
        return Judged(in_motion=int(bool(moving)), look_again_after=compare_again_after(self._quiet))

    def _moves(self, note: DifferingCreditNote, listed: Mapping[str, StripeCreditNoteFacts]) -> bool:
        theirs = listed.get(note.stripe_credit_note_id)
        changes = (note.changed_at, theirs.changed_at if theirs else None)
        return in_motion(changes, datetime.now(UTC), self._quiet)

    @activity.defn(name=Activities.COUNT_CREDIT_NOTES)
    async def count(self, ref: AuditRef) -> PageAudited:
        """Count the credit notes on each side."""
        async with step():
            figures = await store.credit_note_figures(self._db, ref.audit_id, scope_of(ref))
            return PageAudited(through=None, figures=figures)


def _staged(facts: StripeCreditNoteFacts) -> StagedCreditNote:
    return StagedCreditNote(
        stripe_credit_note_id=facts.stripe_credit_note_id,
        stripe_invoice_id=facts.stripe_invoice_id,
        credit_note_key=facts.credit_note_key,
        amount=facts.amount,
        voided=facts.voided,
        total=facts.total,
    )


def _finding(note: DifferingCreditNote) -> Finding:
    name = note.credit_note_key or note.stripe_credit_note_id
    if note.ours is None:
        kind = Kind.CREDIT_NOTE_UNKNOWN
        detail = f"{name}: {_theirs(note)} in Stripe, unknown in Postgres"
    elif note.theirs is None:
        kind = Kind.CREDIT_NOTE_MISSING
        detail = f"{name}: {_ours(note)} in Postgres, not in Stripe"
    else:
        kind = Kind.CREDIT_NOTE_DIFFERS
        elsewhere = f" on {note.found_on}" if note.found_on != note.stripe_invoice_id else ""
        detail = f"{name}: {_theirs(note)} in Stripe{elsewhere}, {_ours(note)} in Postgres"
    return Finding(
        kind=kind,
        detail=detail,
        attribution_id=note.attribution_id,
        invoice_key=note.invoice_key,
        stripe_id=note.stripe_credit_note_id,
    )


def _ours(note: DifferingCreditNote) -> str:
    assert note.ours is not None
    return f"{_amounts(note, note.ours, note.our_total)} {note.state}"


def _theirs(note: DifferingCreditNote) -> str:
    assert note.theirs is not None
    state = CreditNoteState.VOIDED if note.voided else CreditNoteState.ISSUED
    return f"{_amounts(note, note.theirs, note.their_total)} {state}"


def _amounts(note: DifferingCreditNote, amount: int, total: int | None) -> str:
    """Return the amount, and the total where it is part of the difference."""
    shown = format_amount(amount, note.currency)
    compared = None not in (note.our_total, note.their_total) and note.our_total != note.their_total
    return f"{shown}, {format_amount(total, note.currency)} with tax," if compared and total is not None else shown
