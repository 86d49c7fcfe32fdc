"""Measure a month's claim after months that were claimed: what an account's past costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import asyncpg  # type: ignore[import-untyped]

from bench import usage
from bench.claim_run import RATES
from bench.figures import Figure, at_most
from bench.processes import Watch
from bench.scratch import folder
from billing.invoice.key import InvoiceReason
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from settings import Settings
from storage.claims.claims import ClaimScope, claim_page
from storage.periods.periods import page_bounds
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade

PART = "history"
MONTHS = 24
_GROWTH = 1.2
_SECOND_RUN = 0.1
# One in two hundred runs for forty days.
_MONTH = """
INSERT INTO workspace_instance (
    id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
    creation_time, started_time, stopping_time, stopped_time
)
SELECT md5($1::timestamptz || ' ' || n)::uuid::text, 'team:' || lpad((1 + n % $4::int)::text, 7, '0'), 'w-' || n % 1000,
       'p-' || n % 50, 'user:' || n % 7, (ARRAY['default', 'xl', 'gpu'])[1 + n % 3], 'regular', start, start, stop, stop
FROM (
    SELECT n, start, start + CASE WHEN n % 200 = 0 THEN interval '40 days'
                                  ELSE (n::bigint * 7919 % 43200) * interval '1 second' END AS stop
    FROM (
        SELECT n, $1::timestamptz + n * (($2::timestamptz - $1::timestamptz) / $3::int) AS start
        FROM generate_series(1, $3::int) AS n
    ) AS started
) AS run
"""


@dataclass
class MonthCost:
    """CPU seconds of a block, with PostgreSQL's, and its wall-clock seconds."""

    cpu: float = 0.0
    wall: float = 0.0


def measure(instances: int, rounds: int) -> list[Figure]:
    """Claim `MONTHS` months of this many instances each, then `rounds` more; these are compared with the first ones."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    with folder() as scratch:
        place = data_folder(scratch / "postgres", "bench", drop_user())
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            url = server.url(DATABASE)
            await upgrade(url)
            await usage.fill_accounts(url, max(1, instances // usage.INSTANCES_AN_ACCOUNT))
            return await _months(_History(server, url, instances), rounds)
        finally:
            await server.stop()


async def _months(history: _History, rounds: int) -> list[Figure]:
    period = BillingPeriod.parse(usage.PERIOD)
    spent = [await history.month(period)]
    for _ in range(MONTHS + rounds - 1):
        period = period.next()
        spent.append(await history.month(period))
    again = await history.claim(period)
    first = median(each.cpu for each in spent[:rounds])
    last = median(each.cpu for each in spent[MONTHS:])
    growth, second = last / first, again.cpu / last
    note = f"{history.instances:,} instances a month, median of {rounds} months"
    return [
        Figure(PART, "claiming the first months", first, "s", note=f"CPU, with PostgreSQL; {note}"),
        Figure(PART, f"claiming month {MONTHS + 1} and after", last, "s", note=f"CPU; wall {spent[-1].wall:.2f} s"),
        Figure(PART, f"month {MONTHS + 1} / the first", growth, "× the CPU", at_most(_GROWTH)),
        Figure(PART, "a second run / the first run", second, "× the CPU", at_most(_SECOND_RUN)),
    ]


class _History:
    """A database that months of usage are added to and claimed in, one after another."""

    def __init__(self, server: Postgres, url: str, instances: int) -> None:
        self.instances = instances
        self._server = server
        self._url = url
        self._settings = Settings(rate_card=RATES)

    async def month(self, period: BillingPeriod) -> MonthCost:
        """Add a month of usage and claim it."""
        connection = await asyncpg.connect(self._url)
        try:
            bounds = (period.start(self._settings.zone), period.end(self._settings.zone))
            accounts = max(1, self.instances // usage.INSTANCES_AN_ACCOUNT)
            await connection.execute(_MONTH, *bounds, self.instances, accounts)
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()
        return await self.claim(period)

    async def claim(self, period: BillingPeriod) -> MonthCost:
        """Run the period, page after page."""
        settings = self._settings
        card = load_rate_card(RATES)
        database = Database(self._url)
        scope = ClaimScope(
            period=str(period),
            reason=InvoiceReason.PERIOD,
            subject="",
            cutoff=period.end(settings.zone),
            period_start=period.start(settings.zone),
            bill_after=None,
        )
        try:
            with self._spending() as spent:
                after = ""
                while bounds := await page_bounds(database, after, settings.page_size, 20):
                    for low, high in bounds:
                        await claim_page(database, replace(scope, after=low, through=high), card)
                        after = high
        finally:
            await database.close()
        return spent

    @contextmanager
    def _spending(self) -> Iterator[MonthCost]:
        watch, spent = Watch(self._server.child.pid), MonthCost()
        wall, own = time.perf_counter(), time.process_time()
        with watch.watching():
            yield spent
            spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - own
        spent.cpu += watch.costs()["postgres"].cpu_seconds
