"""Run the checks that need only PostgreSQL in a separate process: `python -m bench.audit_run URL`."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from bench.claim_run import RATES
from billing.audit.checks import DATABASE_CHECKS, AuditScope
from billing.pricing.rate_card import load_rate_card
from storage.audit.checks import run_database_check
from storage.audit.parameters import CheckInput
from storage.audit.runs import begin_audit
from storage.postgres.database import Database

_NOW = datetime(2022, 6, 3, tzinfo=UTC)


@dataclass(frozen=True)
class AuditBench:
    """Seconds per check, CPU seconds and peak resident memory (MiB) of this process, and the figures of each check."""

    seconds: dict[str, float]
    cpu: float
    peak_mib: float
    figures: dict[str, dict[str, int | str]]
    discrepancies: int


async def audit(url: str) -> AuditBench:
    """Run every check with the input that the product's own activity would pass."""
    database = Database(url)
    card = load_rate_card(RATES)
    audit_id = f"bench-{time.time_ns()}"
    stuck_after = timedelta(days=1)
    try:
        await begin_audit(database, audit_id, AuditScope(), stuck_after)
        seconds, figures, found = {}, {}, 0
        for check in DATABASE_CHECKS:
            started = time.perf_counter()
            given = CheckInput(audit_id, check, AuditScope(), stuck_after, bill_after=None, rate_card=card, now=_NOW)
            record = await run_database_check(database, given)
            seconds[str(check)] = time.perf_counter() - started
            figures[str(check)] = dict(record.figures)
            found += record.discrepancies
    finally:
        await database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return AuditBench(seconds, time.process_time(), peak, figures, found)


def main() -> None:
    """Audit the database at the URL argument and print the result as JSON."""
    print(json.dumps(asdict(asyncio.run(audit(sys.argv[1])))))


if __name__ == "__main__":
    main()
