"""`python -m bench`: measure, print a table, and with `--json` save the figures."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench import audit, claims, commands, invoices, webhooks
from bench.arrivals import api, sources
from bench.documents import exports, pages, statements
from bench.figures import Figure, print_table, write_json
from bench.growth import history
from bench.imports import measuring as imports

_WIDTH = 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", help="parts to measure; the same as --only")
    parser.add_argument(
        "--only",
        default="claims,history,audit,commands,pages,exports,statements,imports,sources,invoices,webhook,api",
        help="parts, separated by commas",
    )
    parser.add_argument("--instances", type=int, default=100_000, help="for claims, audit, commands, pages, exports")
    parser.add_argument("--on-a-statement", type=int, default=10_000, help="for statements: instances")
    parser.add_argument("--rounds", type=int, default=3, help="for claims, audit, commands, pages: runs of each kind")
    parser.add_argument("--rows", type=int, default=1_000_000, help="for imports and sources")
    parser.add_argument("--invoices", type=int, default=500)
    parser.add_argument("--deliveries", type=int, default=3000, help="for the webhook")
    parser.add_argument("--events", type=int, default=50_000, help="for the API, in batches of each size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the figures to FILE")
    return parser.parse_args()


def main() -> None:
    """Run the requested parts."""
    arguments = _arguments()
    console = Console(stderr=True)
    parts: dict[str, Callable[[], list[Figure]]] = {
        "claims": lambda: claims.measure(arguments.instances, arguments.rounds),
        "history": lambda: history.measure(arguments.instances, arguments.rounds),
        "audit": lambda: audit.measure(arguments.instances, arguments.rounds),
        "commands": lambda: commands.measure(arguments.instances, arguments.rounds),
        "pages": lambda: pages.measure(arguments.instances, arguments.rounds),
        "exports": lambda: exports.measure(arguments.instances),
        "statements": lambda: statements.measure(arguments.on_a_statement),
        "imports": lambda: imports.measure(arguments.rows),
        "sources": lambda: sources.measure(arguments.rows),
        "invoices": lambda: invoices.measure(arguments.invoices),
        "webhook": lambda: webhooks.measure(arguments.deliveries),
        "api": lambda: api.measure(arguments.events),
    }
    figures: list[Figure] = []
    wanted = arguments.part or [name.strip() for name in arguments.only.split(",")]
    if unknown := sorted(set(wanted) - set(parts)):
        raise SystemExit(f"python -m bench: unknown part {', '.join(unknown)}; choose from {', '.join(parts)}")
    for name in wanted:
        console.print(f"measuring {name} ...")
        figures += parts[name]()
    print_table(figures, Console(width=_WIDTH))
    if arguments.json:
        write_json(figures, arguments.json)


if __name__ == "__main__":
    main()
