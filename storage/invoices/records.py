"""Reading invoices with their lines."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import AuditScope
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.pricing.rating import RatedLine, TierShare
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


async def with_lines(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[InvoiceRecord]:
    """Return the invoices of these rows, which hold all columns of `InvoiceRecord`, with their lines."""
    lines = await lines_of(connection, [row.id for row in rows])
    return [record(InvoiceRecord, row, lines=lines.get(row.id, ())) for row in rows]


async def lines_of(connection: AsyncConnection, invoice_ids: Sequence[int]) -> dict[int, tuple[InvoiceLineRecord, ...]]:
    """Return the lines of these invoices, in order, by invoice id."""
    if not invoice_ids:
        return {}
    found = await connection.execute(statement("invoices/invoices", "lines"), {"ids": list(invoice_ids)})
    return {
        invoice_id: tuple(_line(row) for row in group)
        for invoice_id, group in groupby(found.all(), key=lambda row: row.invoice_id)
    }


def _line(row: Row[Any]) -> InvoiceLineRecord:
    shares = json.loads(row.tiers or "[]")
    tiers = tuple(TierShare(Decimal(share["credits"]), Decimal(share["price"])) for share in shares)
    return record(InvoiceLineRecord, row, rated=record(RatedLine, row, tiers=tiers))


async def newest_invoices(db: Database, attribution_id: str, limit: int) -> list[InvoiceRecord]:
    """Return the newest invoices of an account, live and dead, newest first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "newest"), {"attribution_id": attribution_id, "limit": limit}
        )
        return await with_lines(connection, found.all())


async def reported_invoices(db: Database, scope: AuditScope, after: str, limit: int) -> list[InvoiceRecord]:
    """Return the next invoices, ordered by key, that have a report or should have one."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "with_reports"),
            {"period": scope.period, "attribution_id": scope.attribution_id, "after": after, "limit": limit},
        )
        return await with_lines(connection, found.all())


async def invoices_of_stripe(db: Database, keys: Collection[str], stripe_ids: Collection[str]) -> list[InvoiceRecord]:
    """Return the invoices with one of these keys or one of these Stripe ids."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "of_stripe"), {"keys": sorted(keys), "stripe_ids": sorted(stripe_ids)}
        )
        return await with_lines(connection, found.all())
