"""The steps of a reconciliation that need Postgres or the report store.

After a crash between any two writes, running all steps again recovers.
"""

from __future__ import annotations

from billing.errors import MissingReportError
from billing.invoice.record import InvoiceRecord
from billing.report.check import LineSum
from billing.report.format import StoredReport
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot
from reconciliation.states import StatePath
from storage.invoices import collection
from storage.invoices import invoices as store
from storage.lookup.hosted import record_number
from storage.postgres.database import Database
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore

_TOTALED = frozenset({"open", "paid", "uncollectible"})


async def restore(
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


async def claimed_by_line(db: Database, record: InvoiceRecord) -> dict[int, LineSum]:
    """Return the totals of the invoice's live claims, by line number."""
    found = await store.verify_against_claims(db, record.key)
    return {line.line_no: LineSum(line.duration_us, line.claims, line.quantity_us) for line in found}


async def apply(db: Database, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot, path: StatePath) -> None:
    """Move the invoice along `path`, then record Stripe's total, number and how Stripe collects it."""
    for state, at in path:
        await store.move_invoice(db, record.key, state, at)
    total = (snapshot.total, snapshot.discount, snapshot.tax)
    recorded = (record.stripe_total, record.stripe_discount, record.stripe_tax)
    if snapshot.total is not None and snapshot.status in _TOTALED and total != recorded:
        await store.record_stripe_total(db, record.key, snapshot.total, snapshot.discount, snapshot.tax)
    if snapshot.number not in (None, record.stripe_number):
        await record_number(db, record.key, snapshot.number, snapshot.hosted_invoice_url)
    failed = snapshot.status == "open" and snapshot.attempt_count > 0
    stopped = snapshot.collection_stopped
    known = (record.payment_attempts, record.payment_failed_at is not None, record.collection_stopped_at is not None)
    if (snapshot.attempt_count, failed, stopped) != known:
        await collection.record(db, record.key, snapshot.attempt_count, failed=failed, stopped=stopped)
