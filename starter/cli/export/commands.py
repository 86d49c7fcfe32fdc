"""`perdure export`: a whole period for a spreadsheet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from billing.errors import InputError
from billing.money import format_amount, to_minor
from billing.periods import BillingPeriod
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.export.checks import CHECKED, CheckedTotal
from starter.cli.export.writing import NAMES, PeriodExport, write_folder, write_sheet, write_workbook
from starter.sheets import replacing

# For the snapshot of the period, the usage that no invoice bills, and the names of its accounts.
_CONNECTIONS = 3
_BY_KEY = {name.lower().replace(" ", "-"): name for name in NAMES}


@common.command
async def export(
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="A calendar month, YYYY-MM.")],
    format_: Annotated[
        str | None, typer.Option("--format", metavar="xlsx|csv", help="Default: xlsx. csv: a file for each sheet.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE|FOLDER", help="Default: standard output.")] = None,
    sheets: Annotated[
        str | None, typer.Option("--sheets", metavar="NAMES", help="Only these, such as invoices,lines,usage-by-day.")
    ] = None,
) -> int:
    """Export a period: invoices, lines, usage, credits, excluded.

    The sums of its sheets are the totals of `period status`, to the cent; the sheet Check shows it. If they differ, the
    status is 3.
    """
    month, wanted = BillingPeriod.parse(period), _wanted(sheets)
    form = _form(format_, to)
    _check_place(form, to, wanted)
    settings = common.settings()
    async with open_database(settings, _CONNECTIONS) as db:
        with output.progress_when_slow() as say:
            totals = await _write(PeriodExport(db, settings, month, wanted, say), form, to)
    if to is not None:
        output.complain(f"{month} written to {to}")
    return _report(month, totals)


async def _write(export: PeriodExport, form: str, to: Path | None) -> list[CheckedTotal]:
    try:
        if to is None:
            write = write_workbook if form == "xlsx" else write_sheet
            totals = await write(export, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return totals
        if form == "csv":
            return await write_folder(export, to)
        with replacing(to) as file:
            return await write_workbook(export, file)
    except BrokenPipeError:
        raise  # the reader has closed the pipe
    except OSError as error:
        raise common.CommandError(f"cannot write {to or 'the export'}: {error.strerror or error}") from error


def _form(asked: str | None, to: Path | None) -> str:
    form = asked or ("csv" if to is not None and to.is_dir() else "xlsx")
    if form not in ("xlsx", "csv"):
        raise InputError(f"--format {form!r}: write xlsx or csv")
    return form


def _wanted(sheets: str | None) -> frozenset[str] | None:
    if sheets is None:
        return None
    keys = [each.strip().lower() for each in sheets.split(",")]
    for key in keys:
        if key not in _BY_KEY:
            raise InputError(f"--sheets {key!r}: write some of {','.join(_BY_KEY)}")
    wanted = frozenset(_BY_KEY[key] for key in keys)
    if "Check" in wanted and not wanted & CHECKED:
        compared = ",".join(key for key, name in _BY_KEY.items() if name in CHECKED)
        raise InputError(f"--sheets {sheets}: check needs the sheets that it compares, some of {compared}")
    return wanted


def _check_place(form: str, to: Path | None, wanted: frozenset[str] | None) -> None:
    if form == "csv" and to is None and (wanted is None or len(wanted) > 1 or "Check" in wanted):
        raise InputError("CSV is a file for each sheet: name a folder with --to, or one sheet with --sheets")
    if form == "csv" and to is not None and to.suffix == ".csv":
        raise InputError(f"--to {to}: CSV is a file for each sheet: name a folder")
    if form == "xlsx" and to is None:
        output.refuse_terminal("XLSX", "--to FILE")


def _report(month: BillingPeriod, totals: list[CheckedTotal]) -> int:
    """Say where a sheet does not add up to Perdure's totals. Returns the exit status."""
    wrong = [each for each in totals if not each.agrees]
    for each in wrong:
        amounts = [format_amount(to_minor(amount, each.currency), each.currency) for amount in (each.sum, each.ours)]
        output.complain(f"the sheet {each.sheet} adds up to {amounts[0]}, and not to {amounts[1]} ({each.what})")
    if wrong:
        output.complain(f"`perdure audit --period {month}` finds out why")
    return common.ExitStatus.PERSON if wrong else common.ExitStatus.DONE
