"""`python -m campaigns.attack`: run a campaign, print its table, and exit with status 1 if there were breaches."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from billing.text import plural
from campaigns.attack.campaign import FAMILIES, AttackReport, attack
from starter.cli.common import leave
from tests.support.scratch import scratch_folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make attack ARGS=...", description=__doc__)
    parser.add_argument("--requests", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeat the campaign with this seed")
    parser.add_argument("--only", choices=FAMILIES, help="run only this family")
    return parser.parse_args()


def table(report: AttackReport) -> Table:
    """Return a table of the requests and answers per family."""
    found = Table(title=f"{report.sent} bad requests, seed {report.seed}")
    for name in ("family", "sent", "answers", "wrong"):
        found.add_column(name, justify="right" if name in ("sent", "wrong") else "left")
    for name, tally in report.tallies.items():
        if tally.sent:
            answers = ", ".join(f"{count} × {answer}" for answer, count in tally.answers.most_common())
            found.add_row(name, str(tally.sent), answers, str(len(tally.wrong) or ""))
    return found


def main() -> int:
    """Run the attack and print the report."""
    arguments = _arguments()
    console = Console(width=130)
    console.print(f"seed {arguments.seed}: repeat with --seed {arguments.seed} --requests {arguments.requests}")
    started = time.monotonic()
    with scratch_folder() as folder:
        report = asyncio.run(attack(Path(folder), arguments.requests, arguments.seed, arguments.only))
    console.print(table(report))
    start, end, peak = report.memory
    latencies = sorted(report.latencies)
    console.print(f"memory: {start:.1f} MiB after a quarter, {end:.1f} MiB at the end, {peak:.1f} MiB at the peak")
    console.print(
        f"good deliveries meanwhile: {len(latencies)}, median {1000 * latencies[len(latencies) // 2]:.0f} ms, longest "
        f"{1000 * latencies[-1]:.0f} ms, retries {report.attempts_lost}; "
        f"{time.monotonic() - started:.0f} s in all"
    )
    for breach in report.breaches:
        console.print(f"BREACH {breach}", markup=False)
    console.print(
        "nothing was accepted, nothing broke"
        if not report.breaches
        else plural(len(report.breaches), "breach", "breaches")
    )
    return 1 if report.breaches else 0


if __name__ == "__main__":
    leave(main())
