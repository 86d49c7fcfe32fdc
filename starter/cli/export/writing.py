"""Writing an exported period: as one workbook, or as a file of CSV for each sheet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from billing.periods import BillingPeriod
from settings import Settings
from starter.cli.export.checks import CheckedTotal, check_sheet, checked_totals, summary_sheet
from starter.cli.export.tables import billed_sheets
from starter.cli.export.unbilled import unbilled_sheets
from starter.cli.output.columns import column_key
from starter.sheets import Row, Sheet, SheetBook, SheetColumn, WrittenSheet, measured, replacing, write_csv
from storage.exports.period import PeriodReading, reading_period
from storage.periods.periods import read_summary
from storage.postgres.database import Database

NAMES = (
    *("Summary", "Check", "Invoices", "Lines", "Usage by day", "Credits", "Refunds", "Disputes"),
    *("Excluded", "Unbilled", "About"),
)
"""The sheets, in order."""

_ABOUT = {
    "Summary": "Invoices by state, as `perdure period status` has them.",
    "Check": "Perdure's own totals, the sums of the sheets, and their difference: 0.",
    "Invoices": "All invoices. Net is the amount without voided, deleted and credited ones, and with edits. Edited in "
    "Stripe: Stripe's subtotal less the amount, where a person accepted an edit in Stripe. "
    "Discount, tax and total in Stripe are known once it has finalized the invoice, and empty for voided and deleted "
    "ones. Tax that a credit note gives back is not taken off.",
    "Lines": "Lines of the invoices that are not voided or deleted. Of the kind adjustment: what a correction of an "
    "earlier invoice charges. Of the kind edited: what an accepted edit in Stripe changes. Neither has usage.",
    "Usage by day": "Shares of the lines by UTC day, without such edits, of settled invoices: billed, paid or "
    "uncollectible, or blocked after that.",
    "Credits": "Credit notes. Counts: the amount of those that are issued, on invoices that are not voided.",
    "Refunds": "Refunds in Stripe. Counts: the amount of those that no credit note accounts for.",
    "Disputes": "Disputes of payments.",
    "Excluded": "Usage that is not charged, and why. Worth: at the rates and prices of today, without included credits "
    "and graduated prices; not known where the rate card has no rate.",
    "Unbilled": "What the next run would bill, at today's state of the data: an estimate, and no invoice.",
}


@dataclass(frozen=True)
class PeriodExport:
    """What to export: a period, and which of its sheets; all if None."""

    db: Database
    settings: Settings
    month: BillingPeriod
    wanted: frozenset[str] | None
    say: Callable[[str], object] = str

    def wants(self, name: str) -> bool:
        """Whether a sheet is asked for."""
        return self.wanted is None or name in self.wanted


async def write_workbook(export: PeriodExport, file: IO[bytes]) -> list[CheckedTotal]:
    """Write the workbook to a binary file. Returns how its sums compare with Perdure's totals."""
    async with _reading(export) as (reading, sheets), SheetBook() as book:
        book.reserve(*(name for name in ("Summary", "Check") if export.wants(name)))
        figures = await reading.figures()
        written: dict[str, WrittenSheet] = {}
        for sheet in sheets:
            export.say(f"{export.month}: {sheet.name}")
            written[sheet.name] = await book.write(sheet)
        totals = checked_totals(figures, written)
        for sheet in (summary_sheet(figures), check_sheet(totals), await _about(export, reading)):
            if export.wants(sheet.name):
                await book.write(sheet)
        export.say(f"{export.month}: packing the workbook")
        await book.save(file)
    return totals


async def write_folder(export: PeriodExport, folder: Path) -> list[CheckedTotal]:
    """Write `invoices.csv`, `lines.csv` and so on into a folder, which is made. Returns how the sums compare.

    Raises:
        OSError: a file cannot be written.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with _reading(export) as (reading, sheets):
        figures = await reading.figures()
        written: dict[str, WrittenSheet] = {}
        for sheet in sheets:
            export.say(f"{export.month}: {sheet.name}")
            counting, result = measured(sheet)
            await _write_file(counting, folder)
            written[sheet.name] = result()
        totals = checked_totals(figures, written)
        for sheet in (summary_sheet(figures), check_sheet(totals), await _about(export, reading)):
            if export.wants(sheet.name):
                await _write_file(sheet, folder)
    return totals


async def write_sheet(export: PeriodExport, file: IO[bytes]) -> list[CheckedTotal]:
    """Write the one sheet that is asked for, not `Check`, as CSV to a binary file. Returns how its sums compare."""
    async with _reading(export) as (reading, sheets):
        figures = await reading.figures()
        own = [*sheets, summary_sheet(figures), await _about(export, reading)]
        (sheet,) = (each for each in own if export.wants(each.name))
        counting, result = measured(sheet)
        await write_csv(_keyed(counting), file)
        return checked_totals(figures, {sheet.name: result()})


@asynccontextmanager
async def _reading(export: PeriodExport) -> AsyncIterator[tuple[PeriodReading, Sequence[Sheet]]]:
    """Begin to read the period. Yields its reading, and the sheets that list something."""
    async with reading_period(export.db, str(export.month)) as reading:
        asked = export.wanted is not None
        listed = [*billed_sheets(reading, even_empty=asked), *unbilled_sheets(export.db, export.settings, export.month)]
        yield reading, [sheet for sheet in listed if export.wants(sheet.name)]


async def _write_file(sheet: Sheet, folder: Path) -> None:
    with replacing(folder / f"{sheet.name.lower().replace(' ', '-')}.csv") as file:
        await write_csv(_keyed(sheet), file)


def _keyed(sheet: Sheet) -> Sheet:
    """Return the sheet with the names of columns that programs like: `stripe_invoice`."""
    return replace(sheet, columns=[replace(column, name=column_key(column.name)) for column in sheet.columns])


async def _about(export: PeriodExport, reading: PeriodReading) -> Sheet:
    summary = await read_summary(export.db, str(export.month))
    rows: list[Row] = [
        ("Billing period", str(export.month)),
        ("As of (UTC)", reading.at),
        ("Settled last (UTC)", summary.settled_at if summary else None),
        ("Time zone of the months", export.settings.billing_time_zone),
        ("Mode in Stripe", export.settings.stripe_mode),
        *((f"Sheet {name}", text) for name, text in _ABOUT.items() if export.wants(name)),
    ]
    return Sheet("About", (SheetColumn("What"), SheetColumn("Value", width=100, wrap=True)), rows)
