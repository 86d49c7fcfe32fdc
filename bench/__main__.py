"""`python -m bench`: measure, print a table, and with `--json` save the figures. `python -m bench report`: a page."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from bench import audit, claims, commands
from bench.arrivals import api, sources
from bench.documents import exports, pages, statements
from bench.figures import Figure, PartRun, print_table, write_json
from bench.growth import history, sizes
from bench.imports import measuring as imports
from bench.invoicing import measuring as invoices
from bench.peer import measuring as peer
from bench.report import page
from bench.rounds import medians
from bench.serving import cold, webhooks

_WIDTH = 130
Parts = Mapping[str, Callable[[], list[Figure]]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", help="parts to measure; the same as --only")
    parser.add_argument(
        "--only",
        default="claims,growth,history,audit,commands,pages,exports,statements,imports,sources,invoices,webhook,cold,api",
        help="parts, separated by commas; limits and peer are measured only where named",
    )
    parser.add_argument("--instances", type=int, default=100_000, help="for claims, audit, commands, pages, exports")
    parser.add_argument("--sizes", default="20000,200000", help="for growth: instances, separated by commas")
    parser.add_argument("--on-a-statement", type=int, default=10_000, help="for statements: instances")
    parser.add_argument("--rounds", type=int, default=3, help="how often each figure is measured; the median counts")
    parser.add_argument("--rows", type=int, default=1_000_000, help="for imports and sources")
    parser.add_argument("--invoices", type=int, default=500, help="for invoices, limits and peer")
    parser.add_argument("--rate-limits", choices=("live", "sandbox"), default="live", help="for limits: Stripe's")
    parser.add_argument("--deliveries", type=int, default=3000, help="for the webhook")
    parser.add_argument("--events", type=int, default=50_000, help="for the API, in batches of each size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the figures to FILE")
    return parser.parse_args()


def _parts(given: argparse.Namespace) -> Parts:
    """Return how each part is measured. What repeats by itself compares rounds of several kinds that take turns."""

    def again(measure: Callable[[], list[Figure]]) -> Callable[[], list[Figure]]:
        return lambda: medians(measure, given.rounds)

    return {
        "claims": lambda: claims.measure(given.instances, given.rounds),
        "growth": lambda: sizes.measure([int(size) for size in given.sizes.split(",")], given.rounds),
        "history": lambda: history.measure(given.instances, given.rounds),
        "audit": lambda: audit.measure(given.instances, given.rounds),
        "commands": lambda: commands.measure(given.instances, given.rounds),
        "pages": lambda: pages.measure(given.instances, given.rounds),
        "exports": again(lambda: exports.measure(given.instances)),
        "statements": again(lambda: statements.measure(given.on_a_statement)),
        "imports": lambda: imports.measure(given.rows),
        "sources": lambda: sources.measure(given.rows),
        "invoices": again(lambda: invoices.measure(given.invoices)),
        "limits": lambda: invoices.measure_limited(given.invoices, given.rate_limits),
        "webhook": again(lambda: webhooks.measure(given.deliveries)),
        "cold": again(cold.measure),
        "peer": lambda: peer.measure(given.invoices),
        "api": again(lambda: api.measure(given.events)),
    }


def main() -> None:
    """Run the requested parts, or make the page."""
    if sys.argv[1:2] == ["report"]:
        page.main(sys.argv[2:])
        return
    given = _arguments()
    console, parts = Console(stderr=True), _parts(given)
    wanted = given.part or [name.strip() for name in given.only.split(",")]
    if unknown := sorted(set(wanted) - set(parts)):
        raise SystemExit(f"python -m bench: unknown part {', '.join(unknown)}; choose from {', '.join(parts)}")
    figures: list[Figure] = []
    runs: dict[str, PartRun] = {}
    for name in wanted:
        console.print(f"measuring {name} ...")
        load, started = os.getloadavg()[0], time.monotonic()
        measured = parts[name]()
        run = PartRun(time.monotonic() - started, load, os.getloadavg()[0])
        runs |= dict.fromkeys((figure.part for figure in measured), run)
        figures += measured
        if given.json:  # after each part, so that an interrupted run keeps what it measured
            write_json(figures, runs, given.json)
    print_table(figures, Console(width=_WIDTH))


if __name__ == "__main__":
    main()
