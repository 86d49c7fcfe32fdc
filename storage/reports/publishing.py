"""Publishing the reports of many invoices together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from billing.errors import ReportError
from billing.invoice.record import InvoiceRecord
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.reports.content import report_contents
from storage.reports.packing import PackedReport, pack
from storage.reports.store import ReportStore, ReportStoreError

_PUTS_AT_ONCE = 16


async def publish_reports(
    db: Database, reports: ReportStore, records: Sequence[InvoiceRecord], together: int = 100
) -> None:
    """Publish the reports of these claimed invoices, which have none, and record their ids. Idempotent.

    Of so many `together`, one query makes the content, one flush brings it to disk and one update records it.

    An invoice whose report the store refuses, although it answers, has none afterwards: its own step publishes it, and
    shows why that fails. So has an invoice that changes meanwhile.

    Raises:
        ReportStoreError: the store is away. Reports that were recorded stay.
    """
    for first in range(0, len(records), together):
        published = await _put_all(db, reports, records[first : first + together])
        await reports.sync([report_id for _, report_id in published])
        async with db.transaction() as connection:
            await connection.execute(
                statement("reports/publishing", "record_ids"),
                {
                    "ids": [record.id for record, _ in published],
                    "revisions": [record.revision for record, _ in published],
                    "report_ids": [report_id for _, report_id in published],
                },
            )


async def _put_all(
    db: Database, reports: ReportStore, records: Sequence[InvoiceRecord]
) -> list[tuple[InvoiceRecord, str]]:
    """Put the reports, several at once, as fast as their content comes. Returns those that the store has now."""
    few = asyncio.Semaphore(_PUTS_AT_ONCE)
    published: list[tuple[InvoiceRecord, str]] = []

    async def put(record: InvoiceRecord, report: PackedReport) -> None:
        if await _put(reports, report):
            published.append((record, report.report_id))
        few.release()

    try:
        async with asyncio.TaskGroup() as group, aclosing(report_contents(db, records)) as contents:
            async for record, content in contents:
                await few.acquire()  # so that few reports are in memory
                report = await _packed(record, content)
                if report is None:
                    few.release()
                    continue
                task = group.create_task(put(record, report))
                task.add_done_callback(report.close)  # also of a task that never began
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # of the same outage, as a rule
    return published


async def _packed(record: InvoiceRecord, content: AsyncIterator[bytes]) -> PackedReport | None:
    try:
        return await pack(record.billing_period, record.attribution_id, content)
    except ReportError:
        return None


async def _put(reports: ReportStore, report: PackedReport) -> bool:
    """Put one report. Returns whether the store has taken it.

    Raises:
        ReportStoreError: the store is away.
    """
    try:
        await reports.put(report)
    except ReportError:
        return False
    except ReportStoreError:
        await reports.ping()
        return False
    return True
