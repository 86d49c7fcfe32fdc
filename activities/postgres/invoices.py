"""Invoices in Postgres and the report store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.postgres.adopter import Adopter
from activities.postgres.scopes import policy_of
from activities.postgres.stripe_state import Reconciler
from activities.step import step
from billing.accounts.pauses import CollectionPause
from billing.errors import StripeRefusedError
from billing.invoice.policy import ChargeOn, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, OPEN, InvoiceState
from billing.money import format_amount
from billing.money import step as step_of
from billing.periods import BillingPeriod
from billing.pricing.fitting import misfit
from contracts import stripe_metadata
from contracts.messages.invoices import (
    BlockInvoice,
    CustomerFound,
    InvoiceBrief,
    InvoiceRef,
    LoadedInvoice,
    ReconcileInvoice,
    StripeInvoiceCreated,
    StripeInvoiceOrder,
    StripeLine,
)
from contracts.messages.one_step.billed import SettleBilled
from contracts.names import Activities
from reconciliation.figures import expected_figures
from reconciliation.stripe_lines import stripe_lines
from settings import Settings
from storage.accounts import pauses
from storage.claims.fitting import fit_invoice
from storage.invoices import invoices as store
from storage.invoices.locked import UnknownInvoiceError
from storage.postgres.database import Database
from storage.reports.content import report_content
from storage.reports.store import ReportStore

_REPORT_TRUSTED_FOR = timedelta(hours=1)
_LAST_CHECK = timedelta(minutes=10)
_NOTHING_OPEN = DEAD | {InvoiceState.PAID}
"""The states in which nothing of an invoice is open in Stripe any more."""


class InvoiceActivities:
    """Loads, publishes, records, reconciles and blocks invoices, by invoice key. Idempotent."""

    def __init__(self, db: Database, reports: ReportStore, settings: Settings, adopter: Adopter) -> None:
        self._db = db
        self._reports = reports
        self._settings = settings
        self._reconciler = Reconciler(db, reports, adopter)

    @activity.defn(name=Activities.LOAD_INVOICE)
    async def load(self, ref: InvoiceRef) -> LoadedInvoice:
        """Return the invoice as Postgres has it."""
        record = await store.load_invoice(self._db, ref.invoice_key)
        return LoadedInvoice(invoice=None if record is None else await self._brief(record))

    @activity.defn(name=Activities.PUBLISH_REPORT)
    async def publish_report(self, ref: InvoiceRef) -> StripeInvoiceOrder:
        """Publish the usage report and record its id; return the order for Stripe that names it.

        The report exists already if the invoice was claimed with others. If the store has lost it, it is published
        again, until Stripe has the invoice.

        Raises:
            ApplicationError: non-retryable if an amount of a claimed invoice is off its currency's step.
        """
        async with step():
            record = await self._record(ref.invoice_key)
            _check_chargeable(record)
            if not await self._is_published(record):
                published = await self._reports.publish(
                    record.billing_period, record.attribution_id, report_content(self._db, record)
                )
                await store.record_report(self._db, record.key, published.report_id)
                record = await self._record(ref.invoice_key)
            return self._order(record, await self._pauses(record))

    @activity.defn(name=Activities.RECORD_CUSTOMER)
    async def record_customer(self, found: CustomerFound) -> CustomerFound:
        """Record the account's customer; the customer that was recorded first wins."""
        async with step():
            kept = await store.record_customer(self._db, found.attribution_id, found.stripe_customer_id)
            return found.model_copy(update={"stripe_customer_id": kept})

    @activity.defn(name=Activities.RECORD_DRAFT)
    async def record_draft(self, draft: StripeInvoiceCreated) -> LoadedInvoice:
        """Record that the Stripe invoice exists."""
        async with step():
            await store.record_draft(self._db, draft.invoice_key, draft.stripe_invoice_id, draft.stripe_customer_id)
            return await self._loaded(draft.invoice_key)

    @activity.defn(name=Activities.SETTLE_INVOICE)
    async def reconcile(self, reconcile: ReconcileInvoice) -> LoadedInvoice:
        """Move the invoice to Stripe's state: adopt, release, restore, reconcile, apply.

        Raises:
            ApplicationError: non-retryable if the books differ; the invoice's state does not change.
        """
        async with step():
            return await self._settled(await self._reconciler.reconcile(reconcile.invoice_key, reconcile.snapshot))

    @activity.defn(name=Activities.SETTLE_BILLED)
    async def settle_billed(self, order: SettleBilled) -> LoadedInvoice:
        """Record the Stripe invoice that one step created and finalized, then as `reconcile`, usually all at once.

        Raises:
            ApplicationError: non-retryable if the books differ; the invoice is a draft then.
        """
        async with step():
            billed = order.billed
            return await self._settled(await self._reconciler.settle_created(billed.created, billed.snapshot))

    @activity.defn(name=Activities.BLOCK_INVOICE)
    async def block(self, block: BlockInvoice) -> LoadedInvoice:
        """Block the invoice: it waits for an operator."""
        async with step():
            await store.block_invoice(
                self._db,
                block.invoice_key,
                block.reason,
                block.stripe_invoice_id,
                block.stripe_customer_id,
                found=(block.found.subtotal, block.found.digest) if block.found else None,
                void_refused=block.void_refused,
                kind=block.kind,
            )
            return await self._loaded(block.invoice_key)

    @activity.defn(name=Activities.RESUME_INVOICE)
    async def resume(self, ref: InvoiceRef) -> LoadedInvoice:
        """Return a blocked invoice to the state in which it was blocked, with amounts that Stripe can charge."""
        async with step():
            await fit_invoice(self._db, ref.invoice_key)
            await store.resume_invoice(self._db, ref.invoice_key)
            return await self._loaded(ref.invoice_key)

    async def _is_published(self, record: InvoiceRecord) -> bool:
        if record.report_id is None:
            return False
        in_stripe = record.stripe_invoice_id is not None and record.charge_on is not ChargeOn.SUBSCRIPTION
        return in_stripe or await self._reports.has(record.report_id)

    async def _record(self, key: str) -> InvoiceRecord:
        record = await store.load_invoice(self._db, key)
        if record is None:
            raise UnknownInvoiceError(f"no invoice {key} in this database")
        return record

    async def _loaded(self, key: str) -> LoadedInvoice:
        return LoadedInvoice(invoice=await self._brief(await self._record(key)))

    async def _settled(self, record: InvoiceRecord) -> LoadedInvoice:
        loaded = LoadedInvoice(invoice=await self._brief(record))
        if record.state not in _NOTHING_OPEN:
            return loaded
        waiting = await store.waiting_for_currency(self._db, record.attribution_id)
        return loaded.model_copy(update={"waiting": waiting})

    async def _pauses(self, record: InvoiceRecord) -> list[CollectionPause]:
        """Return the pauses that can keep the invoice from being finalized, as far as Postgres knows."""
        concerned = record.account_has_pauses and record.state in OPEN and record.finalized_at is None
        return await pauses.pauses_of_account(self._db, record.attribution_id) if concerned else []

    async def _brief(self, record: InvoiceRecord) -> InvoiceBrief:
        expected = expected_figures(record)
        known = await self._pauses(record)
        in_one_step = record.is_plain and not known and _off_step(record) is None
        return InvoiceBrief(
            invoice_key=record.key,
            attribution_id=record.attribution_id,
            billing_period=record.billing_period,
            reason=record.reason,
            state=record.state,
            currency=record.currency,
            amount=record.amount,
            report_id=record.report_id,
            stripe_customer_id=record.stripe_customer_id,
            stripe_invoice_id=record.stripe_invoice_id,
            generation=record.generation,
            blocked_reason=record.blocked_reason,
            blocked_since=record.blocked_since,
            poll_seconds=self._settings.finalization_poll_seconds,
            lines_digest=expected.digest,
            stripe_amount=record.accepted_subtotal,
            charge_on=record.charge_on,
            finalization=record.finalization,
            awaits_approval=record.awaits_approval,
            approved=record.approved_amount is not None,
            waits_until=waits_until(record, policy_of(self._settings).grace),
            revision=record.revision,
            blocked_kind=record.blocked_kind,
            void_requested=record.void_requested_at is not None,
            replaces=record.replaces_stripe_invoice_id,
            paused_subscription=_paused_now(known),
            pauses=known,
            in_one_step=in_one_step,
            order=self._order(record, known) if in_one_step and _surely_published(record) else None,
        )

    def _order(self, record: InvoiceRecord, known: list[CollectionPause]) -> StripeInvoiceOrder:
        assert record.report_id is not None
        send = self._settings.collection_method == "send_invoice"
        start = record.service_start or BillingPeriod.parse(record.billing_period).start(self._settings.zone)
        return StripeInvoiceOrder(
            invoice_key=record.key,
            attribution_id=record.attribution_id,
            stripe_customer_id=record.stripe_customer_id,
            currency=record.currency,
            amount=record.amount,
            collection_method=self._settings.collection_method,
            days_until_due=self._settings.days_until_due if send else None,
            description=f"Workspace usage of {record.billing_period}, up to {record.cutoff:%F %T} UTC",
            metadata=_metadata(record.report_id, record),
            lines=[
                StripeLine(
                    line_id=item.line_id,
                    amount=item.amount,
                    description=item.description,
                    start=min(start, record.cutoff),
                    end=record.cutoff,
                )
                for item in stripe_lines(record)
            ],
            cutoff=record.cutoff,
            generation=record.generation,
            revision=record.revision,
            charge_on=record.charge_on,
            stripe_invoice_id=_draft_to_fill(record),
            replaces=record.replaces_stripe_invoice_id,
            auto_advance=record.finalization is Finalization.GRACE and _paused_now(known) is None,
            finalizes_at=record.finalize_at,
            automatic_tax=self._settings.automatic_tax,
            finalization=record.finalization,
            adopt=True,
            pauses=known,
        )


def _surely_published(record: InvoiceRecord) -> bool:
    """Whether its report is in the store without a look: an old one may be lost, and is published again then."""
    return record.report_id is not None and datetime.now(UTC) - record.claimed_at < _REPORT_TRUSTED_FOR


def _paused_now(known: list[CollectionPause]) -> str | None:
    return next((each.stripe_subscription_id for each in known if each.ended is None), None)


def _off_step(record: InvoiceRecord) -> int | None:
    """Return an amount that Stripe cannot charge: the invoice was claimed before they were rounded."""
    return misfit([line.rated for line in record.lines], record.currency)


def _check_chargeable(record: InvoiceRecord) -> None:
    """Refuse to put amounts on an invoice that Stripe cannot charge."""
    off = _off_step(record)
    if off is not None and record.state is InvoiceState.CLAIMED:
        least = format_amount(step_of(record.currency), record.currency)
        raise StripeRefusedError(
            f"a line of {format_amount(off, record.currency)}: Stripe charges multiples of {least} only. `perdure "
            f"invoices retry '{record.key}'` rounds the lines; if nothing is left then, void the invoice"
        )


def _metadata(report_id: str, record: InvoiceRecord) -> dict[str, str]:
    return {
        stripe_metadata.INVOICE: record.key,
        stripe_metadata.ATTRIBUTION_ID: record.attribution_id,
        stripe_metadata.BILLING_PERIOD: record.billing_period,
        stripe_metadata.REPORT_ID: report_id,
    }


def _draft_to_fill(record: InvoiceRecord) -> str | None:
    """Return the draft that exists already: the subscription's, or a draft whose usage was claimed again."""
    filled = record.charge_on is ChargeOn.SUBSCRIPTION or record.revision > 1
    return record.stripe_invoice_id if filled else None


def waits_until(record: InvoiceRecord, grace: timedelta) -> datetime | None:
    """Return when we finalize a draft in its grace: shortly before Stripe would."""
    if record.finalization is not Finalization.GRACE or record.finalize_at is None:
        return None
    return record.finalize_at - min(_LAST_CHECK, grace / 10)
