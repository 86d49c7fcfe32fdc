"""Reconciliation in Postgres and the report store: adopt, release, restore, compare the books, record Stripe's state.

After a crash between any two writes, running all steps again recovers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from activities.postgres.adopter import Adopter
from billing.errors import MissingReportError, PermanentError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.report.format import StoredReport
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceCreated, StripeInvoiceSnapshot
from reconciliation.books import check_report, check_stripe
from reconciliation.states import StatePath, changed_hold, is_released, states_to_reach
from storage.invoices import collection
from storage.invoices import invoices as store
from storage.invoices.locked import UnknownInvoiceError
from storage.invoices.records import ClaimedInvoice, load_with_claims
from storage.lookup.hosted import record_number
from storage.postgres.database import Database
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore
from storage.settling.settling import Settlement, settle

_S = InvoiceState
_TOTALED = frozenset({"open", "paid", "uncollectible"})


class Reconciler:
    """Moves invoices to Stripe's state. Idempotent."""

    def __init__(self, db: Database, reports: ReportStore, adopter: Adopter) -> None:
        self._db = db
        self._reports = reports
        self._adopter = adopter

    async def settle_created(self, made: StripeInvoiceCreated, snapshot: StripeInvoiceSnapshot) -> InvoiceRecord:
        """Record a Stripe invoice that was created and finalized, and move ours to its state; return it then.

        Usually one statement records both. If the books differ, or anything but them is to be done first, the draft
        is recorded on its own, so that the invoice goes on from there.

        Raises:
            PermanentError, InvoiceChangedError: as `reconcile`.
            IllegalTransitionError: it is blocked, voided or deleted.
        """
        read = await self._read(made.invoice_key)
        drafted = _drafted(read, made, snapshot)
        path = states_to_reach(drafted.invoice, snapshot, datetime.now(UTC)) if drafted else []
        if drafted is None or not _settles(path):
            await self._record_draft(made)
            return await self.reconcile(made.invoice_key, snapshot)
        try:
            return await self._settle(drafted, snapshot, path)
        except PermanentError:
            await self._record_draft(made)
            raise

    async def reconcile(self, key: str, snapshot: StripeInvoiceSnapshot) -> InvoiceRecord:
        """Move the invoice to Stripe's state: adopt, release, restore, compare, record. Return it then.

        Raises:
            PermanentError: the books differ; the invoice's state does not change.
            InvoiceChangedError: it has changed while they were compared.
        """
        read = await self._read(key)
        if await self._adopter.adopt_draft(read.invoice, snapshot):
            read = await self._read(key)
        if (hold := changed_hold(read.invoice, snapshot)) is not None:
            await store.block_invoice(self._db, key, hold.reason, kind=hold.held_as)
        elif is_released(read.invoice, snapshot):
            await store.resume_invoice(self._db, key)
            read = await self._read(key)
        path = states_to_reach(read.invoice, snapshot, datetime.now(UTC))
        if _settles(path):
            return await self._settle(read, snapshot, path)
        await _apply(self._db, read.invoice, snapshot, path)
        return (await self._read(key)).invoice

    async def _settle(self, read: ClaimedInvoice, snapshot: StripeInvoiceSnapshot, path: StatePath) -> InvoiceRecord:
        """Compare the books, and record what Stripe says if they agree."""
        invoice = read.invoice
        # Stripe comes first: no report is restored for an invoice that was edited there.
        check_stripe(invoice, snapshot)
        report = await _restore(self._db, self._reports, invoice, snapshot)
        await check_report(invoice, report, read.claimed)
        return await settle(self._db, read, _settlement(invoice, snapshot, path))

    async def _record_draft(self, made: StripeInvoiceCreated) -> None:
        await store.record_draft(self._db, made.invoice_key, made.stripe_invoice_id, made.stripe_customer_id)

    async def _read(self, key: str) -> ClaimedInvoice:
        read = await load_with_claims(self._db, key)
        if read is None:
            raise UnknownInvoiceError(f"no invoice {key} in this database")
        return read


def _drafted(
    read: ClaimedInvoice, made: StripeInvoiceCreated, snapshot: StripeInvoiceSnapshot
) -> ClaimedInvoice | None:
    """Return a claimed invoice as it is once its draft is recorded. None if it is not claimed, or to be adopted."""
    invoice = read.invoice
    if invoice.state is not _S.CLAIMED or snapshot.metadata.get(stripe_metadata.REPORT_ID) != invoice.report_id:
        return None
    created = max(invoice.claimed_at, snapshot.created or invoice.claimed_at)
    drafted = replace(
        invoice,
        state=_S.DRAFT,
        stripe_invoice_id=made.stripe_invoice_id,
        stripe_customer_id=made.stripe_customer_id,
        drafted_at=invoice.drafted_at or created,
    )
    return replace(read, invoice=drafted)


def _settles(path: StatePath) -> bool:
    return any(state is _S.BILLED for state, _ in path)


def _settlement(invoice: InvoiceRecord, snapshot: StripeInvoiceSnapshot, path: StatePath) -> Settlement:
    at = dict(path)
    known = invoice.finalized_at if invoice.state is _S.FINALIZED else None
    is_totaled, is_numbered = snapshot.total is not None, snapshot.number is not None
    return Settlement(
        state=path[-1][0],
        finalized_at=known or at[_S.FINALIZED],
        billed_at=at[_S.BILLED],
        paid_at=at.get(_S.PAID),
        uncollectible_at=at.get(_S.UNCOLLECTIBLE),
        total=snapshot.total,
        discount=snapshot.discount if is_totaled else None,
        tax=snapshot.tax if is_totaled else None,
        number=snapshot.number,
        url=snapshot.hosted_invoice_url if is_numbered else None,
        attempts=snapshot.attempt_count,
        failed=_payment_failed(snapshot),
        stopped=snapshot.collection_stopped,
    )


async def _restore(
    db: Database, reports: ReportStore, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot
) -> StoredReport:
    """Open the report that Stripe's metadata names; restore it first if the store has lost it.

    The report's id proves that the restored report is the same. A changed report is left for a person to see.

    Raises:
        ReportError: the report is cut short or changed, or is missing and cannot be made again from the claims.
        ReportStoreError: the store cannot be reached, or refuses.
    """
    report_id = snapshot.metadata.get(stripe_metadata.REPORT_ID, "")
    try:
        return StoredReport(report_id, *await reports.read_claims(report_id))
    except MissingReportError:
        await restore_report(db, reports, record)
    return StoredReport(report_id, *await reports.read_claims(report_id))


async def _apply(db: Database, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot, path: StatePath) -> None:
    """Move the invoice along `path`, then record Stripe's total, number and how Stripe collects it."""
    for state, at in path:
        await store.move_invoice(db, record.key, state, at)
    total = (snapshot.total, snapshot.discount, snapshot.tax)
    recorded = (record.stripe_total, record.stripe_discount, record.stripe_tax)
    if snapshot.total is not None and snapshot.status in _TOTALED and total != recorded:
        await store.record_stripe_total(db, record.key, snapshot.total, snapshot.discount, snapshot.tax)
    if snapshot.number not in (None, record.stripe_number):
        await record_number(db, record.key, snapshot.number, snapshot.hosted_invoice_url)
    failed = _payment_failed(snapshot)
    stopped = snapshot.collection_stopped
    known = (record.payment_attempts, record.payment_failed_at is not None, record.collection_stopped_at is not None)
    if (snapshot.attempt_count, failed, stopped) != known:
        await collection.record(db, record.key, snapshot.attempt_count, failed=failed, stopped=stopped)


def _payment_failed(snapshot: StripeInvoiceSnapshot) -> bool:
    return snapshot.status == "open" and snapshot.attempt_count > 0
