"""One run in a separate process, to measure its memory and time alone: `python -m bench.claim_run`."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import floor
from bench.usage import PERIOD
from billing.invoice.key import InvoiceReason
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from settings import Settings
from storage.claims.claims import ClaimScope, claim_page
from storage.invoices.records import without_report
from storage.periods.periods import page_bounds
from storage.postgres.database import Database
from storage.reports.publishing import publish_reports
from storage.reports.store import ReportStore

RATES = Path(__file__).parents[1] / "devstack" / "sample" / "rates.toml"


@dataclass(frozen=True)
class ClaimRun:
    """The cost of one run: seconds, CPU seconds without PostgreSQL's, and peak resident memory in MiB."""

    claim_seconds: float
    publish_seconds: float
    claim_cpu: float
    publish_cpu: float
    peak_mib: float
    invoices: int


async def perdure(url: str, reports: str, *, publish: bool) -> ClaimRun:
    """Claim the period one page at a time and publish its reports, with the product's own code."""
    settings = Settings(report_store_url=reports, rate_card=RATES)
    database = Database(url)
    try:
        started = _now()
        card = load_rate_card(RATES)
        keys = await _claim(database, settings, card)
        claimed = _now()
        if publish:
            await _publish(database, ReportStore(reports), keys, settings.page_size)
        return _run(started, claimed, _now(), len(keys))
    finally:
        await database.close()


async def bare(url: str) -> ClaimRun:
    """Run the floor."""
    started = _now()
    await floor.claim(url)
    done = _now()
    return _run(started, done, done, 0)


def _now() -> tuple[float, float]:
    """Return the wall-clock seconds and the CPU seconds."""
    return time.perf_counter(), time.process_time()


def _run(
    started: tuple[float, float], claimed: tuple[float, float], done: tuple[float, float], invoices: int
) -> ClaimRun:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return ClaimRun(
        claim_seconds=claimed[0] - started[0],
        publish_seconds=done[0] - claimed[0],
        claim_cpu=claimed[1] - started[1],
        publish_cpu=done[1] - claimed[1],
        peak_mib=peak,
        invoices=invoices,
    )


async def _claim(database: Database, settings: Settings, card: RateCard) -> list[str]:
    period = BillingPeriod.parse(PERIOD)
    keys: list[str] = []
    after = ""
    while bounds := await page_bounds(database, after, settings.page_size, 20):
        for low, high in bounds:
            scope = ClaimScope(
                period=PERIOD,
                reason=InvoiceReason.PERIOD,
                subject="",
                cutoff=period.end(settings.zone),
                period_start=period.start(settings.zone),
                bill_after=None,
                after=low,
                through=high,
            )
            keys += (await claim_page(database, scope, card)).keys
            after = high
    return keys


async def _publish(database: Database, store: ReportStore, keys: list[str], page_size: int) -> None:
    for first in range(0, len(keys), page_size):
        page = keys[first : first + page_size]
        await publish_reports(database, store, await without_report(database, page))


def main() -> None:
    """Run with the arguments MODE URL REPORTS and print the result as JSON.

    MODE is `claim`, `publish` (claim and publish) or `floor`.
    """
    mode, url, reports = sys.argv[1:]
    run = asyncio.run(bare(url) if mode == "floor" else perdure(url, reports, publish=mode == "publish"))
    print(json.dumps(asdict(run)))


if __name__ == "__main__":
    main()
