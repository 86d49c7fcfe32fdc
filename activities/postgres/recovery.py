"""Taking over from Stripe, by their reports, invoices that Postgres has lost."""

from __future__ import annotations

from temporalio import activity

from activities.postgres.scopes import claim_scope
from activities.step import step
from billing.assessment.assessment import ClaimScope
from billing.errors import MismatchError, PermanentError, ReportError
from billing.invoice.key import InvoiceReason, key_subject
from billing.invoice.record import InvoiceRecord
from billing.periods import BillingPeriod
from billing.pricing.rating import RateCard
from billing.report.format import ReportHeader
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot
from contracts.messages.recovery import AdoptInvoices, AdoptReport, InvoicesAdopted, ReportAdopted
from contracts.names import Activities
from settings import Settings
from storage.accounts import accounts
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.recovery.adoption import StoredReport, StripeSide, adopt_invoice
from storage.reports.store import ReportStore


class RecoveryActivities:
    """Each invoice is one transaction under its account's lock; again is nothing new."""

    def __init__(self, db: Database, reports: ReportStore, rate_card: RateCard, settings: Settings) -> None:
        self._db = db
        self._reports = reports
        self._rate_card = rate_card
        self._settings = settings

    @activity.defn(name=Activities.ADOPT_REPORT)
    async def adopt_report(self, found: AdoptReport) -> ReportAdopted:
        """For the invoice's own workflow: have Postgres say what Stripe has, as far as its report can be read.

        Raises:
            ApplicationError: non-retryable when some of its usage is on another invoice.
        """
        async with step():
            return await self.adopt(found, its_own=True)

    @activity.defn(name=Activities.ADOPT_INVOICES)
    async def adopt_invoices(self, order: AdoptInvoices) -> InvoicesAdopted:
        """Take over those that Postgres does not know; the others are left to their own workflows."""
        adopted: list[str] = []
        faults: list[str] = []
        async with step():
            # The oldest first, and what was refused once more: another of them may have held its usage.
            waiting = list(reversed(order.invoices))
            again: list[AdoptReport] = []
            while waiting:
                found = waiting.pop(0)
                try:
                    outcome = await self.adopt(found, its_own=False)
                except PermanentError as error:
                    if found in again:
                        faults.append(str(error))
                    else:
                        again.append(found)
                        waiting.append(found)
                    continue
                if outcome.adopted:
                    adopted.append(found.invoice_key)
                elif outcome.unreadable is not None and await self._lost(found):
                    faults.append(
                        f"{outcome.unreadable}; without it the usage would be billed again: void it in Stripe, or put "
                        "the report back from the store's backup"
                    )
            return InvoicesAdopted(adopted=adopted, faults=faults)

    async def take_over(self, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> bool:
        """Adopt what a draft of Postgres's has become in Stripe, when that names another report; whether it was.

        Raises:
            MismatchError: that report cannot be read.
            PermanentError: as `adopt`.
        """
        named = snapshot.metadata.get(stripe_metadata.REPORT_ID)
        if named in (None, "", record.report_id):
            return False
        found = AdoptReport(
            invoice_key=record.key,
            report_id=named,
            stripe_invoice_id=snapshot.stripe_invoice_id,
            stripe_customer_id=snapshot.stripe_customer_id,
            status=snapshot.status,
        )
        outcome = await self.adopt(found, its_own=True)
        if outcome.unreadable is not None:
            raise MismatchError(f"Postgres has the report {record.report_id}: {outcome.unreadable}")
        return outcome.adopted

    async def adopt(self, found: AdoptReport, *, its_own: bool) -> ReportAdopted:
        """Take one over, unless Postgres has it as Stripe has it.

        Raises:
            PermanentError: it cannot be, though its report can be read; the message says what to do.
        """
        try:
            header, claims = await self._reports.read_claims(found.report_id)
            if header.invoice_key != found.invoice_key:
                raise ReportError(f"report {found.report_id} is that of {header.invoice_key}")
        except ReportError as error:
            return ReportAdopted(
                adopted=False, unreadable=f"{found.stripe_invoice_id} is {found.invoice_key} in Stripe: {error}"
            )
        side = StripeSide(found.stripe_invoice_id, found.status, found.stripe_customer_id)
        report = StoredReport(found.report_id, header, claims)
        scope = self._scope(header, found.stripe_invoice_id)
        return ReportAdopted(
            adopted=await adopt_invoice(self._db, scope, self._rate_card, report, side, its_own=its_own)
        )

    async def _lost(self, found: AdoptReport) -> bool:
        """Whether it is of an account of ours, and Postgres does not have it. Another deployment may have the account
        in Stripe as well, but not in this database."""
        _, _, rest = found.invoice_key.partition("/")
        attribution_id = rest.partition("/")[0]
        if await accounts.get_account(self._db, attribution_id) is None or found.status == "void":
            return False
        return await invoices.load_invoice(self._db, found.invoice_key) is None

    def _scope(self, header: ReportHeader, stripe_invoice_id: str) -> ClaimScope:
        return claim_scope(
            self._settings,
            BillingPeriod.parse(header.billing_period),
            header.reason,
            key_subject(header.invoice_key)[0],
            cutoff=header.cutoff,
            attribution_id=header.attribution_id,
            stripe_invoice_id=stripe_invoice_id if header.reason is InvoiceReason.SUBSCRIPTION else None,
        )
