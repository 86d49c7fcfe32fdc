"""The claims of an invoice, live or released, as its report lists them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from billing.report.format import ReportClaim
from storage.postgres.database import Database
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ReportedInstances:
    """The number of instances in an invoice's claims. Postgres lacks `missing` of them; `examples`: up to five."""

    instances: int
    missing: int
    examples: list[str]


async def claims_for_report(db: Database, key: str, *, released: bool = False) -> AsyncGenerator[ReportClaim, None]:
    """Stream the invoice's live claims, or those `released`, as its report lists them, in the report's order."""
    async with db.transaction(read_only=True) as connection:
        ids = (await connection.execute(statement("reports/claims", "ids"), {"key": key})).scalars().all()
    name = "released_for_report" if released else "claims_for_report"
    async with aclosing(_stream(db, name, {"ids": ids})) as claims:
        async for claim in claims:
            yield claim


def claims_of(db: Database, invoice_id: int) -> AsyncGenerator[ReportClaim, None]:
    """Stream the invoice's claims, live and released, in its report's order, without the instances' descriptions."""
    return _stream(db, "claims_of", {"ids": [invoice_id]})


async def _stream(db: Database, name: str, parameters: dict[str, Any]) -> AsyncGenerator[ReportClaim, None]:
    async with db.transaction(read_only=True) as connection:
        rows = await connection.stream(statement("reports/claims", name), parameters)
        read = reader(ReportClaim, rows.keys())
        async for partition in rows.partitions(_ROWS_AT_ONCE):
            for row in partition:
                yield read(row)


async def instances_of_report(db: Database, invoice_id: int, *, released: bool) -> ReportedInstances:
    """Count the instances of the invoice's live claims, or of those `released`."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("reports/claims", "instances_of_report"), {"ids": [invoice_id], "released": released}
        )
        return record(ReportedInstances, found.one())
