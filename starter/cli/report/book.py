"""A usage report as a workbook: every claim with its amount, and a sheet that proves that they add up to the lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import IO

from billing.money import exponent, to_major
from billing.report.amounts import DECIMALS, amount_decimals
from billing.report.format import ReportHeader, ReportLine
from starter.cli.report.rows import ExportedRow, ReportReading
from starter.sheets import Formula, Money, Row, Sheet, SheetBook, SheetColumn, WrittenSheet
from starter.words.lines import line_name

_ROW_COLUMNS = (
    SheetColumn("Row"),
    SheetColumn("Invoice"),
    SheetColumn("Account"),
    SheetColumn("Name"),
    SheetColumn("Period"),
    SheetColumn("Line"),
    SheetColumn("Class"),
    SheetColumn("Instance"),
    SheetColumn("Workspace"),
    SheetColumn("Project"),
    SheetColumn("From (UTC)", decimals=3),
    SheetColumn("To (UTC)", decimals=3),
    SheetColumn("Minutes", total=True, decimals=DECIMALS),
    SheetColumn("Quantity"),
    SheetColumn("Credits per minute"),
    SheetColumn("Credits", total=True, decimals=DECIMALS),
    SheetColumn("Price per credit"),
)
_LAST_COLUMNS = (SheetColumn("Currency", currency=True), SheetColumn("Note", width=44))


async def write_book(reading: ReportReading, file: IO[bytes]) -> None:
    """Write the sheets `Lines` and `Usage` to a binary file."""
    header, claims = await reading.store.read_claims(reading.report.report_id)
    await claims.aclose()
    decimals = amount_decimals(header.currency)
    columns = (*_ROW_COLUMNS, SheetColumn("Amount", total=True, decimals=decimals), *_LAST_COLUMNS)
    async with SheetBook() as book:
        book.reserve("Lines")
        usage = await book.write(Sheet("Usage", columns, _usage(reading)))
        await book.write(Sheet("Lines", _line_columns(decimals), _lines(header, usage)))
        await book.save(file)


async def _usage(reading: ReportReading) -> AsyncIterator[Row]:
    async for row in reading.rows():
        yield _cells(row)


def _cells(row: ExportedRow) -> Row:
    return (
        row.row,
        row.invoice_key,
        row.attribution_id,
        row.account_name,
        row.billing_period,
        row.line_no,
        row.workspace_class or None,
        row.instance_id,
        row.workspace_id,
        row.project_id,
        row.start,
        row.end,
        row.minutes,
        row.quantity,
        row.rate,
        row.credits,
        row.price_per_credit,
        Money(row.amount, row.currency),
        row.currency.upper(),
        row.note,
    )


def _line_columns(decimals: int) -> tuple[SheetColumn, ...]:
    return (
        SheetColumn("Line"),
        SheetColumn("Class"),
        SheetColumn("Rate from (UTC)"),
        SheetColumn("Minutes × quantity", total=True, decimals=DECIMALS),
        SheetColumn("Credits per minute"),
        SheetColumn("Credits", total=True, decimals=6),
        SheetColumn("Price per credit"),
        SheetColumn("Currency", currency=True),
        SheetColumn("Amount", total=True),
        SheetColumn("Sum of the sheet Usage", total=True, decimals=decimals),
        SheetColumn("Difference", total=True, decimals=decimals),
    )


def _lines(header: ReportHeader, usage: WrittenSheet) -> Iterator[Row]:
    for number, line in enumerate(header.lines, 2):
        yield _line_cells(header, line, usage, number)


def _line_cells(header: ReportHeader, line: ReportLine, usage: WrittenSheet, row: int) -> Row:
    rated, currency = line.rated, header.currency
    amount = to_major(rated.amount, currency)
    summed = usage.sum_where("Line", line.line_no, "Amount")
    places = exponent(currency) + 4
    return (
        line.line_no,
        line_name(rated),
        rated.rate_from,
        round(rated.metered_us / 60_000_000, DECIMALS),
        rated.credits_per_minute or None,
        rated.credits,
        rated.price_per_credit,
        currency.upper(),
        Money(amount, currency),
        Formula(f"={summed}", Money(amount, currency)),
        Formula(f"=ROUND(J{row}-I{row},{places})", Money(Decimal(0), currency)),
    )
