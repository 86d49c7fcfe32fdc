"""Restoring a report that the store has lost, from the claims in Postgres."""

from __future__ import annotations

from contextlib import aclosing

from billing.errors import ReportError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.report.canonical import format_instant
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.reports import claims
from storage.reports.content import report_content
from storage.reports.store import ReportStore


async def restore_report(db: Database, reports: ReportStore, record: InvoiceRecord) -> None:
    """Put an invoice's report back into the store, byte for byte as it was: its id contains its digest.

    Raises:
        ReportError: Postgres no longer yields that content; the message says what differs.
        ReportStoreError: the store cannot be reached or refuses.
    """
    if record.report_id is None:
        raise ReportError(f"{record.key} has no report yet: its workflow publishes it")
    # The claims of an invoice that was written off are live; those of any other dead invoice were released.
    released = record.state in DEAD and not record.written_off
    async with aclosing(report_content(db, record, released=released)) as content:
        if await reports.restore(record.report_id, content):
            return
    raise ReportError(
        f"report {record.report_id} cannot be made from the claims of {record.key}: "
        f"{await _why(db, record, released=released)}; restore it from the store's backup"
    )


async def _why(db: Database, record: InvoiceRecord, *, released: bool) -> str:
    """Return why the content differs. Lines never change under a report's id, but claims can be gone."""
    sums = {s.line_no: s for s in await invoices.verify_against_claims(db, record.key, released=released)}
    for line in record.lines:
        found = sums[line.line_no].duration_us
        if sums[line.line_no].quantity_us != line.rated.metered_us and found == line.rated.duration_us:
            return f"the quantities of line {line.line_no}'s claims differ from the line's"
        if found != line.rated.duration_us:
            return f"those of line {line.line_no} total {found} microseconds, the line has {line.rated.duration_us}" + (
                ": some of the usage was on another invoice before the write-off" if record.written_off else ""
            )
    known = await claims.instances_of_report(db, record.id, released=released)
    if known.missing:
        return f"the database lacks {known.missing} of its instances (import them again): {', '.join(known.examples)}"
    since = f" since its claims were released at {format_instant(record.voided_at)}" if record.voided_at else ""
    return f"the workspace or project of one of its instances ({known.instances}) was changed{since}"
