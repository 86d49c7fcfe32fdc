"""Corrections of invoices that the command line and the console have recorded."""

from __future__ import annotations

from temporalio import activity

from activities.postgres.deciding.asked import answered
from activities.postgres.scopes import scope_of_invoice
from activities.rate_cards import RateCards
from billing.correction.order import CorrectionOrder
from billing.errors import InputError
from contracts.deciding import CorrectInvoice, InvoiceCorrected
from contracts.names import Activities
from settings import Settings
from storage.corrections.recording import record_correction
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database


class CorrectionActivities:
    """Records corrections, each in one transaction with who decided it. Idempotent."""

    def __init__(self, db: Database, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._cards = cards
        self._settings = settings

    @activity.defn(name=Activities.CORRECT_INVOICE)
    async def correct(self, asked: CorrectInvoice) -> InvoiceCorrected:
        """Record the correction that was seen planned; the same one twice is one.

        Raises:
            ApplicationError: non-retryable if the invoice cannot be corrected so.
        """
        async with answered():
            invoice = await load_invoice(self._db, asked.invoice_key)
            if invoice is None:
                raise InputError(f"there is no invoice {asked.invoice_key!r}: `perdure invoices list` shows their keys")
            found = await record_correction(
                self._db,
                invoice.key,
                CorrectionOrder(asked.ordinal, asked.net, asked.reason, asked.settle_to),
                scope_of_invoice(self._settings, invoice),
                await self._cards.current() if asked.reprice else None,
                by=asked.by,
                place=asked.place,
            )
            info = activity.info()
            # An attempt before this one has made it, and could not say so.
            made = found.made or (info.attempt > 1 and found.at is not None and found.at >= info.scheduled_time)
            return InvoiceCorrected(correction_key=found.key, made=made)
