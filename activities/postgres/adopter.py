"""Adopts what only Stripe has: records in Postgres an invoice of Stripe's, by the report that its metadata names."""

from __future__ import annotations

from activities.postgres.scopes import claim_scope
from activities.rate_cards import RateCards
from billing.assessment.assessment import ClaimScope
from billing.errors import MismatchError, ReportError
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.periods import BillingPeriod
from billing.report.format import ReportHeader, StoredReport
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot
from contracts.messages.recovery import AdoptReport, ReportAdopted
from settings import Settings
from storage.postgres.database import Database
from storage.recovery.adoption import adopt_invoice
from storage.recovery.adoption_rules import AdoptableInvoice
from storage.reports.store import ReportStore


class Adopter:
    """Adopts each invoice in one transaction, under its account's lock. Idempotent."""

    def __init__(self, db: Database, reports: ReportStore, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._reports = reports
        self._cards = cards
        self._settings = settings

    async def adopt_draft(self, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> bool:
        """Adopt Stripe's side of one of our drafts if it names another report; return whether it was adopted.

        The draft may be from before Postgres was restored: what Stripe has received since then counts.

        Raises:
            MismatchError: the other report cannot be read.
            PermanentError: as `adopt`.
        """
        named = snapshot.metadata.get(stripe_metadata.REPORT_ID)
        if record.state is not InvoiceState.DRAFT or named in (None, "", record.report_id):
            return False
        found = AdoptReport(
            invoice_key=record.key,
            report_id=named,
            stripe_invoice_id=snapshot.stripe_invoice_id,
            stripe_customer_id=snapshot.stripe_customer_id,
            status=snapshot.status,
        )
        result = await self.adopt(found, its_own=True)
        if result.unreadable is not None:
            raise MismatchError(f"Postgres has the report {record.report_id}: {result.unreadable}")
        return result.adopted

    async def adopt(self, found: AdoptReport, *, its_own: bool) -> ReportAdopted:
        """Adopt an invoice, unless Postgres has it as Stripe has it. `its_own`: the invoice's own workflow asks.

        Raises:
            PermanentError: it cannot be adopted although its report can be read; the message says what to do.
        """
        try:
            header, claims = await self._reports.read_claims(found.report_id)
            if header.invoice_key != found.invoice_key:
                raise ReportError(f"report {found.report_id} belongs to {header.invoice_key}")
        except ReportError as error:
            return ReportAdopted(
                adopted=False, unreadable=f"{found.stripe_invoice_id} is {found.invoice_key} in Stripe: {error}"
            )
        side = AdoptableInvoice(found.stripe_invoice_id, found.status, found.stripe_customer_id)
        report = StoredReport(found.report_id, header, claims)
        scope = self._scope(header, found.stripe_invoice_id)
        return ReportAdopted(
            adopted=await adopt_invoice(self._db, scope, await self._cards.current(), report, side, its_own=its_own)
        )

    def _scope(self, header: ReportHeader, stripe_invoice_id: str) -> ClaimScope:
        return claim_scope(
            self._settings,
            BillingPeriod.parse(header.billing_period),
            header.reason,
            InvoiceKey.parse(header.invoice_key).subject,
            cutoff=header.cutoff,
            service_start=header.service_start,
            attribution_id=header.attribution_id,
            stripe_invoice_id=stripe_invoice_id if header.reason is InvoiceReason.SUBSCRIPTION else None,
        )
