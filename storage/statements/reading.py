"""Read an invoice's statement: its lines, its claims, and what happened to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from billing.errors import MismatchError, MissingReportError, ReportError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.report.format import StoredReport
from billing.statement.building import StatementBuilder
from billing.statement.model import Statement
from billing.statement.proving import prove, refused
from storage.invoices import credit_notes, invoices, refunds
from storage.lookup.naming import names_of
from storage.postgres.database import Database
from storage.reports.claims import claims_for_report
from storage.reports.content import report_header
from storage.reports.store import ReportStore
from storage.statements.spool import ItemSpool
from storage.statements.standing import adjustments_of, ended_at, issued, mark_of, paid_back, total_known


@asynccontextmanager
async def opened_statement(
    db: Database, record: InvoiceRecord, store: ReportStore | None = None
) -> AsyncIterator[Statement]:
    """Yield the invoice's statement, proved; its items last until the block ends.

    The usage of a live invoice is read from its claims in Postgres. Those of a dead one were released, so its usage is
    read from its report, if there is a `store` that has it, else from the claims that it held.

    Raises:
        MismatchError: the claims, lines and totals do not add up; the message says that the statement is refused.
        ReportError: the report was changed.
        ReportStoreError: the store cannot be reached.
    """
    spool = ItemSpool()
    try:
        found = await _read(db, record, store, spool)
        await asyncio.to_thread(prove, found)  # it reads all items
        yield found
    finally:
        spool.close()


async def _spooled(
    db: Database, record: InvoiceRecord, store: ReportStore | None, spool: ItemSpool
) -> StatementBuilder:
    """Read the invoice's usage once, and put its items into the spool."""
    usage = await _usage(db, record, store)
    try:
        builder = StatementBuilder(usage.header)
        async with aclosing(usage.claims) as claims:
            async for claim in claims:
                for item in builder.add(claim):
                    spool.add(item)
        for item in builder.finish():
            spool.add(item)
    except (MismatchError, ReportError) as error:
        raise refused(record.key, record.attribution_id, str(error)) from error
    return builder


async def _read(db: Database, record: InvoiceRecord, store: ReportStore | None, spool: ItemSpool) -> Statement:
    builder = await _spooled(db, record, store, spool)
    notes = (await credit_notes.credit_notes_of(db, [record.id])).get(record.id, [])
    paid = (await refunds.of_invoices(db, [record.id])).get(record.id, [])
    adjustments = adjustments_of(record)
    return Statement(
        key=record.key,
        number=record.stripe_number,
        attribution_id=record.attribution_id,
        customer=(await names_of(db, [record.attribution_id])).get(record.attribution_id),
        billing_period=record.billing_period,
        reason=record.reason,
        mark=mark_of(record),
        start=record.service_start,
        cutoff=record.cutoff,
        currency=record.currency,
        amount=record.amount,
        credits=record.credits,
        lines=builder.lines(record.lines),
        items=spool,
        extent=builder.extent,
        projects=builder.projects(),
        adjustments=adjustments,
        total=record.amount + sum(each.amount for each in adjustments),
        total_known=total_known(record),
        credit_notes=issued(notes),
        refunds=paid_back(paid),
        stripe_invoice_id=record.stripe_invoice_id,
        stripe_customer_id=record.stripe_customer_id,
        report_id=record.report_id,
        finalized_at=record.finalized_at,
        ended_at=ended_at(record),
        why=record.void_reason,
    )


async def _usage(db: Database, record: InvoiceRecord, store: ReportStore | None) -> StoredReport:
    """Return the invoice's header and claims. The claims of an invoice that was written off are live."""
    released = record.state in DEAD and not record.written_off
    if released and store is not None and record.report_id is not None:
        try:
            header, claims = await store.read_claims(record.report_id)
            return StoredReport(record.report_id, header, claims)
        except MissingReportError:
            pass  # Postgres has kept what the invoice held
    count = sum(line.claims for line in await invoices.verify_against_claims(db, record.key, released=released))
    return StoredReport(
        record.report_id or "", report_header(record, count), claims_for_report(db, record.key, released=released)
    )
