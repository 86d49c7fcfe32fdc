"""Reading invoices with their lines."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import AuditScope
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.pricing.rating import LineKind, RatedLine, TierShare
from billing.report.check import LineSum
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

_NUMERIC = ("credits_per_minute", "price_per_credit", "credits", "quantity_us")
"""The fields of a line that are decimals: JSON has whole ones as integers."""


@dataclass(frozen=True)
class ClaimedInvoice:
    """An invoice with the totals of its live claims by line number, in one snapshot; none if it is billed or dead.

    `version` changes with every change of the invoice's row.
    """

    invoice: InvoiceRecord
    claimed: dict[int, LineSum]
    version: str


def invoice_of(row: Row[Any]) -> InvoiceRecord:
    """Return the invoice of a row with all columns of `InvoiceRecord`, and its lines as JSON."""
    return record(InvoiceRecord, row, lines=decoded_lines(row.lines))


async def load_with_claims(db: Database, key: str) -> ClaimedInvoice | None:
    """Return the invoice with this key and the totals of its claims. None if there is none."""
    async with db.reading() as connection:
        found = await connection.execute(statement("invoices/invoices", "with_claims"), {"key": key})
        row = found.one_or_none()
    if row is None:
        return None
    sums = {
        line["line_no"]: LineSum(line["duration_us"], line["claims"], Decimal(line["quantity_us"]))
        for line in _decoded(row.claimed)
    }
    return ClaimedInvoice(invoice_of(row), sums, row.version)


async def lines_of(connection: AsyncConnection, invoice_id: int) -> tuple[InvoiceLineRecord, ...]:
    """Return an invoice's lines, in order."""
    found = await connection.execute(statement("invoices/invoices", "lines_of"), {"id": invoice_id})
    return decoded_lines(found.scalar_one())


def decoded_lines(text: str | None) -> tuple[InvoiceLineRecord, ...]:
    """Return lines from the JSON in which PostgreSQL gives them."""
    return tuple(_line(found) for found in _decoded(text))


def _line(found: dict[str, Any]) -> InvoiceLineRecord:
    return InvoiceLineRecord(line_no=found.pop("line_no"), carried_us=found.pop("carried_us"), rated=_rated(found))


def _rated(line: dict[str, Any]) -> RatedLine:
    line["rate_from"] = datetime.fromisoformat(line["rate_from"]).astimezone(UTC)
    line["kind"] = LineKind(line["kind"])
    shares = line["tiers"] or []
    line["tiers"] = tuple(TierShare(Decimal(share["credits"]), Decimal(share["price"])) for share in shares)
    for name in _NUMERIC:
        line[name] = None if line[name] is None else Decimal(line[name])
    return RatedLine(**line)


def _decoded(text: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text or "[]", parse_float=Decimal)
    return found


async def newest_invoices(db: Database, attribution_id: str, limit: int) -> list[InvoiceRecord]:
    """Return the newest invoices of an account, live and dead, newest first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "newest"), {"attribution_id": attribution_id, "limit": limit}
        )
        return [invoice_of(row) for row in found]


async def reported_invoices(db: Database, scope: AuditScope, after: str, limit: int) -> list[InvoiceRecord]:
    """Return the next invoices, ordered by key, that have a report or should have one."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "with_reports"),
            {"period": scope.period, "attribution_id": scope.attribution_id, "after": after, "limit": limit},
        )
        return [invoice_of(row) for row in found]


async def invoices_of_stripe(db: Database, keys: Collection[str], stripe_ids: Collection[str]) -> list[InvoiceRecord]:
    """Return the invoices with one of these keys or one of these Stripe ids."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "of_stripe"), {"keys": sorted(keys), "stripe_ids": sorted(stripe_ids)}
        )
        return [invoice_of(row) for row in found]


async def without_report(db: Database, keys: Collection[str]) -> list[InvoiceRecord]:
    """Return those of these invoices whose report is to be published, for invoices of our own: nothing names it yet."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("invoices/invoices", "without_report"), {"keys": sorted(keys)})
        return [invoice_of(row) for row in found]
