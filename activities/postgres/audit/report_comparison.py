"""Compares usage reports with their invoices, lines and claims, streaming reports of any size."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.errors import MismatchError, ReportError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.report.check import ReportCheck
from billing.report.format import parse_report_id
from reconciliation.books import check_claim, check_header, check_no_more_claims
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.reports.claims import claims_of
from storage.reports.store import ReportStore

_AT_ONCE = 4
"""Each check holds a connection while it streams."""


@dataclass(frozen=True)
class ReportsChecked:
    """The result of checking one page. `claims`: how many were compared."""

    findings: list[Finding]
    claims: int


async def check_reports(db: Database, reports: ReportStore, records: Sequence[InvoiceRecord]) -> ReportsChecked:
    """Check the reports of these invoices, several at the same time.

    Raises:
        ReportStoreError: the store cannot be reached, or refuses; that is no finding.
    """
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(record: InvoiceRecord) -> tuple[Finding | None, int]:
        async with few:
            return await _settled(db, reports, record)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(record)) for record in records]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # of the same outage, as a rule
    checked = [task.result() for task in tasks]
    return ReportsChecked([finding for finding, _ in checked if finding], sum(claims for _, claims in checked))


async def _settled(db: Database, reports: ReportStore, record: InvoiceRecord) -> tuple[Finding | None, int]:
    """Check one report; a difference counts only if the invoice did not change while its report was read."""
    while True:
        found = await _check(db, reports, record)
        if found[0] is None:
            return found
        now = await invoices.load_invoice(db, record.key)
        if now is None or _version(now) == _version(record):
            return found
        record = now


def _version(record: InvoiceRecord) -> tuple[object, ...]:
    return record.state, record.revision, record.report_id, record.written_off, record.updated_at


async def _check(db: Database, reports: ReportStore, record: InvoiceRecord) -> tuple[Finding | None, int]:
    if record.report_id is None:
        if record.state in DEAD:
            return None, 0
        return _finding(record, Kind.REPORT_MISSING, f"the invoice is {record.state} and names no report"), 0
    claims = 0
    try:
        header, reported = await reports.read_claims(record.report_id)
        async with aclosing(reported), aclosing(claims_of(db, record.id)) as ours:
            check = ReportCheck(header, of=parse_report_id(record.report_id))
            check_header(header, record)
            # Claims written off after their release hold only the parts that were not billed elsewhere since.
            compared = not record.written_off
            async for claim in reported:
                check.add(claim)
                claims += 1
                if compared:
                    check_claim(claim, await anext(ours, None))
            check.finish()
            if compared:
                check_no_more_claims(await anext(ours, None))
    except ReportError as error:
        there = await reports.has(record.report_id)
        return _finding(record, Kind.REPORT_DAMAGED if there else Kind.REPORT_MISSING, str(error)), claims
    except MismatchError as error:
        return _finding(record, Kind.REPORT_DIFFERS, str(error)), claims
    return None, claims


def _finding(record: InvoiceRecord, kind: Kind, detail: str) -> Finding:
    return Finding(
        kind=kind,
        detail=detail,
        attribution_id=record.attribution_id,
        invoice_key=record.key,
        stripe_id=record.stripe_invoice_id,
        report_id=record.report_id,
    )
