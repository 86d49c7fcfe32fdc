"""Reads the figures, all as of one instant and within a limited time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.rows import record
from storage.postgres.statements import statement

MOST = 100
"""The maximum number of sources and of periods: each becomes labels of metrics."""
_CANCELLED = "57014"


@dataclass(frozen=True)
class InvoiceFigures:
    """The invoices of a period in one state and currency; `amount` is their sum in minor units."""

    period: str
    state: InvoiceState
    currency: str
    invoices: int
    amount: int


@dataclass(frozen=True)
class SourceFigures:
    """What is known of a source; `refused` is the number of its refused rows that wait."""

    name: str
    complete_up_to: datetime | None
    read_at: datetime | None
    failing_since: datetime | None
    refused: int


@dataclass(frozen=True)
class AuditFigures:
    """The newest audit of everything that has ended: its findings by check.

    `usage_us` is the runtime of all usage in microseconds, by fate.
    """

    finished_at: datetime
    findings: Mapping[str, int]
    usage_us: Mapping[str, int]


@dataclass(frozen=True)
class WorkerFigures:
    """What a worker has published: the digest of its rate card, and its settings that concern money."""

    queue: str
    rate_card_digest: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class PendingFacts:
    """How many facts the API has accepted that nobody has stored yet, and since when the oldest waits."""

    waiting: int
    since: datetime | None


@dataclass(frozen=True)
class StripeEvents:
    """When Stripe made the last event that the catch-up has read, and when it read that.

    `undelivered`: how many of all that it read Stripe had not delivered to every endpoint. The instants are those of
    the newest event of each kind.
    """

    last_event: datetime | None
    read_at: datetime | None
    undelivered: int
    undelivered_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True)
class DeploymentFigures:
    """Everything, as of one instant. `settled` has when the newest periods were settled."""

    invoices: list[InvoiceFigures]
    settled: dict[str, datetime]
    held: list[str]
    sources: list[SourceFigures]
    arrivals: PendingFacts
    events: StripeEvents
    audit: AuditFigures | None
    workers: list[WorkerFigures]


async def read_figures(db: Database, within: timedelta) -> DeploymentFigures:
    """Return the figures.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or a figure takes longer than `within`.
    """
    async with db.transaction(read_only=True, snapshot=True) as connection:
        try:
            return await _read(connection, within)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _CANCELLED:
                seconds = f"{within.total_seconds():g} s"
                raise DatabaseUnavailableError(
                    f"PostgreSQL at {db.place}: a figure took longer than {seconds}"
                ) from error
            raise


async def _read(connection: AsyncConnection, within: timedelta) -> DeploymentFigures:
    milliseconds = str(int(within / timedelta(milliseconds=1)))
    await connection.execute(statement("monitor/figures", "limit_time"), {"milliseconds": milliseconds})
    settled = await connection.execute(statement("monitor/figures", "settled"), {"most": MOST})
    held = await connection.execute(statement("monitor/figures", "held"), {"most": MOST})
    invoices = await connection.execute(statement("monitor/figures", "invoices"))
    sources = await connection.execute(statement("monitor/figures", "sources"), {"most": MOST})
    arrivals = await connection.execute(statement("monitor/figures", "arrivals"))
    events = await connection.execute(statement("monitor/figures", "events"))
    workers = await connection.execute(statement("monitor/figures", "workers"))
    return DeploymentFigures(
        invoices=[record(InvoiceFigures, row) for row in invoices],
        settled={row.period: row.settled_at for row in settled},
        held=[row.period for row in held],
        sources=[record(SourceFigures, row) for row in sources],
        arrivals=record(PendingFacts, arrivals.one()),
        events=record(StripeEvents, events.one()),
        audit=await _audit(connection),
        workers=[WorkerFigures(row.queue, row.rate_card_digest, json.loads(row.settings)) for row in workers],
    )


async def _audit(connection: AsyncConnection) -> AuditFigures | None:
    run = (await connection.execute(statement("monitor/figures", "audit"))).one_or_none()
    if run is None:
        return None
    rows = (await connection.execute(statement("monitor/figures", "checks"), {"audit_id": run.id})).all()
    usage = [_usage(json.loads(row.figures)) for row in rows if row.name == "conservation"]
    return AuditFigures(run.finished_at, {row.name: row.discrepancies for row in rows}, usage[0] if usage else {})


def _usage(figures: Mapping[str, Any]) -> dict[str, int]:
    """Return the figures of the check of conservation that are fates of usage."""
    fates = {name.removesuffix("_us"): value for name, value in figures.items() if name.endswith("_us")}
    return {name: value for name, value in fates.items() if name != "runtime"}
