"""What a sheet holds. The type of a value says how it is written: text is never a number, nor a formula."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from billing.money import to_major


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units of a currency (`usd`): a number with the currency's decimals, or with more."""

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, minor: int, currency: str) -> Money:
        """Return an amount that is given in minor units."""
        return cls(to_major(minor, currency), currency)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula of ours, such as `=A1-B1`, and the value that it has: readers that do not compute show that.

    Never made from text of others.
    """

    text: str
    value: Money | Decimal | int | str


Cell: TypeAlias = str | int | Decimal | Money | datetime | date | bool | Formula | None
"""Text, a number, an amount, an instant (aware; written in UTC), a day, yes or no, a formula of ours, or nothing."""


@dataclass(frozen=True, slots=True)
class StrongRow:
    """A row in bold. Its numbers count in the totals of their columns: a subtotal has no place in such a column."""

    cells: Sequence[Cell]


Row: TypeAlias = Sequence[Cell] | StrongRow


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of a sheet.

    Args:
        name: its heading, the same in CSV and XLSX.
        total: whether XLSX has its sum in a row of totals, by currency if the sheet has a column of currencies.
        currency: whether it holds the currency of its row, such as `USD`.
        decimals: how many decimals XLSX shows; None: those of the currency, or as many as the number has.
        width: in characters; None: as wide as its contents.
        wrap: whether long text goes on in a second line.
    """

    name: str
    total: bool = False
    currency: bool = False
    decimals: int | None = None
    width: int | None = None
    wrap: bool = False


@dataclass(frozen=True)
class Sheet:
    """One table: its name (at most 31 characters in XLSX), its columns, and its rows, which are read once.

    `empty`: what a sheet without rows says instead, in XLSX.
    """

    name: str
    columns: Sequence[SheetColumn]
    rows: AsyncIterable[Row] | Iterable[Row]
    empty: str = ""


async def each_row(rows: AsyncIterable[Row] | Iterable[Row]) -> AsyncIterator[Row]:
    """Yield the rows, whatever yields them."""
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def cells_of(row: Row) -> Sequence[Cell]:
    """Return the cells of a row."""
    return row.cells if isinstance(row, StrongRow) else row
