"""Changes of an invoice in Postgres that a person decides, or that late usage causes."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities.postgres.scopes import scope_of_invoice
from activities.rate_cards import RateCards
from activities.step import step
from billing.invoice.states import InvoiceState
from contracts.messages.invoices import Amended, ApproveInvoice, InvoiceRef, RebuildInvoice, VoidInvoice
from contracts.names import Activities
from settings import Settings
from storage.claims.amendment import amend_invoice
from storage.claims.fitting import fit_invoice
from storage.invoices import decisions, invoices
from storage.invoices.locked import UnknownInvoiceError
from storage.postgres.database import Database


class DecisionActivities:
    """Records each decision in one transaction, under the invoice's row lock. Idempotent."""

    def __init__(self, db: Database, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._cards = cards
        self._settings = settings

    @activity.defn(name=Activities.APPROVE_INVOICE)
    async def approve(self, approval: ApproveInvoice) -> InvoiceRef:
        """Approve the invoice at the amount that a person has seen.

        Raises:
            ApplicationError: non-retryable if it does not wait for an approval, or its amount is different now.
        """
        async with step():
            await fit_invoice(self._db, approval.invoice_key)  # so that an amount is approved that can be charged
            await decisions.approve_invoice(
                self._db, approval.invoice_key, approval.amount, approval.by, approval.reason, approval.place
            )
            return InvoiceRef(invoice_key=approval.invoice_key)

    @activity.defn(name=Activities.REBUILD_INVOICE)
    async def rebuild(self, rebuild: RebuildInvoice) -> InvoiceRef:
        """Request that the edited Stripe invoice is replaced by one with our lines.

        Raises:
            ApplicationError: non-retryable if the invoice is not blocked as edited.
        """
        async with step():
            await decisions.rebuild_invoice(self._db, rebuild.invoice_key, rebuild.by, rebuild.reason, rebuild.place)
            return InvoiceRef(invoice_key=rebuild.invoice_key)

    @activity.defn(name=Activities.REQUEST_VOID)
    async def request_void(self, void: VoidInvoice) -> InvoiceRef:
        """Request the void; optionally, write the usage off.

        Raises:
            ApplicationError: non-retryable if the invoice is paid, or already dead.
        """
        async with step():
            await decisions.request_void(
                self._db, void.invoice_key, by=void.by, reason=void.reason, write_off=void.write_off, place=void.place
            )
            return InvoiceRef(invoice_key=void.invoice_key)

    @activity.defn(name=Activities.AMEND_INVOICE)
    async def amend(self, ref: InvoiceRef) -> Amended:
        """Claim the usage of a waiting draft again, so that late usage is included."""
        async with step():
            record = await invoices.load_invoice(self._db, ref.invoice_key)
            if record is None:
                raise UnknownInvoiceError(f"no invoice {ref.invoice_key} in this database")
            scope = scope_of_invoice(self._settings, record)
            return Amended(changed=await amend_invoice(self._db, record.key, scope, await self._cards.current()))

    @activity.defn(name=Activities.GIVE_UP_DRAFT)
    async def give_up_draft(self, ref: InvoiceRef) -> InvoiceRef:
        """Release the usage of an invoice whose Stripe draft was finalized before our lines were on it."""
        async with step():
            await invoices.move_invoice(self._db, ref.invoice_key, InvoiceState.DELETED, datetime.now(UTC))
            return ref
