"""Measure the audit checks that need only PostgreSQL, over a billed month."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

import asyncpg  # type: ignore[import-untyped]

from bench import usage
from bench.audit_run import AuditBench
from bench.figures import Figure, at_most
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from storage.totals.days import fill_days

PART = "audit"
_MOST_SECONDS_A_MILLION = 60
_MOST_MIB = 400

# Nothing is billed at first, so every line comes from claiming; then a tenth of the invoices is voided, the rest paid.
_ANEW = ("DELETE FROM claim", "DELETE FROM invoice_line", "DELETE FROM invoice")
_BILLED = (
    """
    UPDATE invoice
    SET state = CASE WHEN id % 10 = 0 THEN 'voided' ELSE 'paid' END, stripe_invoice_id = 'in_' || id,
        report_id = 'r', drafted_at = now(), finalized_at = now(), billed_at = now(),
        paid_at = CASE WHEN id % 10 <> 0 THEN now() END, voided_at = CASE WHEN id % 10 = 0 THEN now() END
    """,
    """
    WITH released AS (
        DELETE FROM claim WHERE invoice_id IN (SELECT id FROM invoice WHERE state = 'voided')
        RETURNING invoice_id, line_no, instance_id, during
    )
    INSERT INTO claim_history (invoice_id, line_no, instance_id, during, reason) SELECT *, 'voided' FROM released
    """,
    "INSERT INTO period_summary (billing_period, summary) VALUES ('2022-05', '{}')",
)


@dataclass(frozen=True)
class _Cost:
    run: AuditBench
    postgres_cpu: float
    postgres_mib: float


def measure(instances: int, rounds: int) -> list[Figure]:
    """Run the checks `rounds` times over the same database."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    with folder() as scratch:
        user = drop_user()
        place = data_folder(scratch / "postgres", "bench", user)
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            url = server.url(DATABASE)
            await upgrade(url)
            await bill(url, instances)
            return _figures(instances, [await _run(server, url) for _ in range(rounds)])
        finally:
            await server.stop()


async def bill(url: str, instances: int, an_account: int = usage.INSTANCES_AN_ACCOUNT) -> None:
    """Fill a migrated, empty database with a month of usage, and bill it without Stripe."""
    await usage.fill(url, instances, an_account=an_account)
    await _execute(url, *_ANEW)
    command = [sys.executable, "-m", "bench.claim_run", "claim", url, "file:///nowhere"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    await _execute(url, *_BILLED)
    database = Database(url, pool_size=1)
    await fill_days(database)
    await database.close()
    await _execute(url, "VACUUM ANALYZE")


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _run(server: Postgres, url: str) -> _Cost:
    watch = Watch(server.child.pid)
    with watch.watching():
        command = [sys.executable, "-m", "bench.audit_run", url]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    run = AuditBench(**json.loads(done.stdout))
    if run.discrepancies:
        raise RuntimeError(f"the audit found {run.discrepancies} discrepancies: {run.figures}")
    spent = watch.costs()["postgres"]
    return _Cost(run, spent.cpu_seconds, spent.peak_mib)


def _figures(instances: int, costs: list[_Cost]) -> list[Figure]:
    total = median(sum(cost.run.seconds.values()) for cost in costs)
    peak = max(cost.run.peak_mib for cost in costs)
    counted = costs[0].run.figures["claims-and-lines"]
    note = f"{instances:,} instances, {counted['claims']:,} claims, {counted['lines']:,} lines, median of {len(costs)}"
    checks = [
        Figure(PART, name, median(cost.run.seconds[name] for cost in costs), "s") for name in costs[0].run.seconds
    ]
    most = _MOST_SECONDS_A_MILLION * instances / 1_000_000
    return [
        *checks,
        Figure(PART, "all checks of PostgreSQL alone", total, "s", at_most(most), note=note),
        Figure(PART, "CPU of PostgreSQL", median(cost.postgres_cpu for cost in costs), "s"),
        Figure(PART, "CPU of the worker's process", median(cost.run.cpu for cost in costs), "s", note="with its start"),
        Figure(PART, "peak memory of the worker's process", peak, "MiB", at_most(_MOST_MIB)),
        Figure(
            PART, "peak memory of PostgreSQL", max(cost.postgres_mib for cost in costs), "MiB",
            note="without its shared buffers",
        ),
    ]  # fmt: skip
