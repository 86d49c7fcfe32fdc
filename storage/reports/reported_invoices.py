"""Invoices with their reports, and the claims that those itemise, live or released."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from billing.audit.checks import AuditScope
from billing.invoice.record import InvoiceRecord
from billing.report.format import ReportClaim
from storage.invoices.records import with_lines
from storage.postgres.database import Database
from storage.postgres.statements import statement

_ROWS_AT_ONCE = 1000


async def reported_invoices(db: Database, scope: AuditScope, after: str, limit: int) -> list[InvoiceRecord]:
    """The next invoices, by key, that have a report or should have one."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "with_reports"),
            {"period": scope.period, "attribution_id": scope.attribution_id, "after": after, "limit": limit},
        )
        return await with_lines(connection, found.mappings().all())


async def claims_of(db: Database, invoice_id: int) -> AsyncGenerator[ReportClaim, None]:
    """The invoice's claims in its report's order, streamed; what only describes an instance is left out."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.stream(
            statement("invoices/invoices", "claims_of"),
            {"id": invoice_id},
            execution_options={"yield_per": _ROWS_AT_ONCE},
        )
        async for partition in rows.partitions():
            for row in partition:
                yield ReportClaim(*row)
