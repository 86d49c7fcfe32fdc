"""Tables for people. In a pipe or a file they are as wide as they need: no id is ever cut."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine
from billing.report.canonical import format_credits, format_decimal
from starter.cli import common

_WIDEST = 100_000


def make_table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in `right` are aligned there. Long values are folded, not cut."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain values: nothing in them is taken for markup, none is shown as `-`."""
    table.add_row(*(Text("-" if cell is None or cell == "" else str(cell)) for cell in cells))


def print_table(table: Table) -> None:
    """Print it on stdout."""
    if common.out.is_terminal:
        common.out.print(table)
        return
    console = Console(width=_WIDEST, highlight=False)
    with console.capture() as captured:
        console.print(table, width=Measurement.get(console, console.options, table).maximum)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n"))


def say(line: str) -> None:
    """One line on stdout, as it is."""
    common.out.print(line, markup=False)


def complain(line: str) -> None:
    """One line on stderr, as it is."""
    common.err.print(" ".join(line.split()), markup=False)


def hours(duration_us: int) -> str:
    """A duration in microseconds, for people: `1,234.56 h`."""
    return f"{Decimal(duration_us) / 3_600_000_000:,.2f} h"


def line_name(rated: RatedLine) -> str:
    """What an invoice line is, in a table."""
    if rated.kind is LineKind.TIERS:
        return tiers_in_words(rated.tiers)
    return rated.workspace_class + (" (as default)" if rated.rated_as_default else "")


def tiers_document(rated: RatedLine) -> dict[str, Any]:
    """What JSON says of a line beside its figures."""
    tiers = [{"credits": format_credits(s.credits), "price": format_decimal(s.price)} for s in rated.tiers]
    return {"kind": str(rated.kind), "tiers": tiers}
