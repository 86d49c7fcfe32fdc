"""Correcting one invoice: planned, recorded by the billing worker, and its credit notes made in Stripe."""

from __future__ import annotations

from dataclasses import dataclass

from activities.postgres.scopes import charged_kinds_of, scope_of_invoice
from billing.accounts.windows import WindowKind
from billing.correction.plan import CorrectionPlan
from billing.invoice.credit_notes import CreditDestination, CreditNoteState
from billing.invoice.record import InvoiceRecord
from billing.pricing.rate_card import load_rate_card
from contracts.deciding import CorrectInvoice
from settings import Settings
from starter.cli.invoices.credit import settled, wake
from storage.corrections.candidates import requested_credits
from storage.corrections.planning import preview_correction
from storage.corrections.reading import CorrectionRecord, corrections_of
from storage.invoices.credit_notes import CreditNoteRecord, load_credit_note
from storage.postgres.database import Database
from temporal.asking import correct_invoice
from temporal.client import connect


@dataclass(frozen=True)
class CorrectionResult:
    """The last correction of an invoice, None if it has none, and its credit notes; `made`: it is new."""

    invoice_key: str
    made: bool
    correction: CorrectionRecord | None
    credit_notes: tuple[CreditNoteRecord, ...]


@dataclass(frozen=True)
class Corrector:
    """Corrects invoices in one way: by which card, why, by whom, and where what is paid already goes."""

    db: Database
    settings: Settings
    reprice: bool
    reason: str
    to: CreditDestination
    by: str
    patience_seconds: float

    @property
    def charged_kinds(self) -> frozenset[WindowKind]:
        """The kinds of windows that the deployment charges."""
        return charged_kinds_of(self.settings)

    async def plan(self, invoice: InvoiceRecord) -> CorrectionPlan:
        """Return what a correction of this invoice would record now.

        Raises:
            InputError: it cannot be corrected.
        """
        card = load_rate_card(self.settings.rate_card) if self.reprice else None
        return await preview_correction(self.db, invoice.key, scope_of_invoice(self.settings, invoice), card)

    async def correct(self, plan: CorrectionPlan) -> CorrectionResult:
        """Correct an invoice as planned. Credit notes that an interrupted command has not started are started.

        Raises:
            InputError: it cannot be corrected, or differs by another amount now.
        """
        made = False
        if plan.is_needed:
            asked = CorrectInvoice(
                invoice_key=plan.invoice_key,
                ordinal=plan.ordinal,
                net=plan.offset.net,
                reprice=self.reprice,
                reason=self.reason,
                settle_to=self.to,
                by=self.by,
            )
            made = (await correct_invoice(await connect(), asked)).made
        known = (await corrections_of(self.db, [plan.invoice_id])).get(plan.invoice_id, [])
        last = known[-1] if known else None
        notes = [await self._issued(key) for key in (last.credit_notes if last else ())]
        return CorrectionResult(plan.invoice_key, made, last, tuple(notes))

    async def issue_requested(self, period: str) -> None:
        """Have the period's credit notes made that an interrupted command recorded, but did not start."""
        for key in await requested_credits(self.db, period):
            await self._issued(key)

    async def _issued(self, key: str) -> CreditNoteRecord:
        note = await load_credit_note(self.db, key)
        assert note is not None  # credit notes are never removed
        if note.state is not CreditNoteState.REQUESTED:
            return note
        await wake(note, None)
        return await settled(self.db, note, self.patience_seconds)
