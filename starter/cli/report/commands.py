"""`perdure report`: show a usage report, export it for a spreadsheet or a script, restore a lost one."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.errors import InputError
from billing.money import format_amount
from billing.report.canonical import format_credits, format_decimal, format_instant
from billing.report.check import LineSum, ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportLine, parse_report_id
from billing.text import plural
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.report import export as report_export
from starter.cli.report.listing import list_
from starter.cli.report.naming import find_report
from starter.cli.report.rebuild import rebuild_reports
from starter.cli.report.rows import ReportReading
from starter.sheets import replacing
from starter.words import lines
from storage.reports.store import ReportStore

app = typer.Typer(help="Usage reports: list, show, export, rebuild.", no_args_is_help=True)
app.command("list")(list_)

ReportArgument = Annotated[
    str, typer.Argument(metavar="KEY|REPORT_ID", help="The invoice, by its key or Stripe's id; or a report's id.")
]

_FIRST_CLAIMS = 10


@app.command("show")
@common.command
async def show(report: ReportArgument, as_json: common.AsJson = False) -> None:
    """Show a report: its invoice, lines and totals.

    Its digest and all its sums are checked.
    """
    report_id = (await find_report(report)).report_id
    store = _store(report_id)
    header, claims = await store.read_claims(report_id)
    check = ReportCheck(header, parse_report_id(report_id))
    first: list[ReportClaim] = []
    async with aclosing(claims):
        async for claim in claims:
            check.add(claim)
            if len(first) < _FIRST_CLAIMS:
                first.append(claim)
    sums = check.finish()
    if as_json:
        output.print_json(_document(report_id, header, sums))
    else:
        _print(report_id, header, sums, first)


@app.command("export")
@common.command
async def export(
    report: Annotated[
        str, typer.Argument(metavar="KEY|REPORT_ID", help="The invoice, by its key or Stripe's id; or a report's id.")
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(report_export.FORMATS),
            help="Default: as the file's name ends, else csv. jsonl: the report as stored.",
        ),
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--to", "--output", metavar="FILE", help="Default: standard output.")
    ] = None,
) -> None:
    """Export an invoice's usage by row, with exact amounts.

    The rows add up to the invoice's amount, exactly: what rounding adds or takes is a row of its own, and so are
    included credits and graduated prices.
    """
    form = _export_form(format_, path)
    reading = ReportReading(ReportStore(common.settings().need("report_store_url")), await find_report(report))
    if path is None:
        await report_export.write(reading, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        with replacing(path) as file:
            count = await report_export.write(reading, form, file)
    except OSError as error:
        raise common.CommandError(f"cannot write {path}: {error.strerror or error}") from error
    output.complain(f"{plural(count, 'claim')} written to {path}")


def _export_form(asked: str | None, path: Path | None) -> str:
    """Return the format that was asked for, or that the file's name says; CSV if neither does."""
    ending = "" if path is None else path.suffix[1:].lower()
    form = asked or (ending if ending in report_export.FORMATS else "csv")
    if form not in report_export.FORMATS:
        raise InputError(f"--format {form!r}: write {', '.join(report_export.FORMATS)}")
    if path is None and form in report_export.BINARY:
        output.refuse_terminal(form.upper() if form == "xlsx" else "Parquet", "--to FILE")
    return form


@app.command("rebuild")
@common.command
async def rebuild(
    report_id: Annotated[str | None, typer.Argument(metavar="REPORT_ID", help="The report to restore.")] = None,
    all_missing: Annotated[
        bool,
        typer.Option("--all-missing", help="Check the reports of all invoices; restore the missing and the damaged."),
    ] = False,
    period: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="With --all-missing: only reports of this month.")
    ] = None,
    as_json: common.AsJson = False,
) -> int:
    """Restore missing or damaged reports from the claims in Postgres.

    A restored report is the original, byte for byte. A report that is whole is left alone. The status is 4 if a report
    cannot be restored.
    """
    if (report_id is None) != all_missing:
        raise InputError("name one REPORT_ID, or use --all-missing")
    if report_id is not None:
        parse_report_id(report_id)
    store = ReportStore(common.settings().need("report_store_url"))
    async with open_database(common.settings()) as db:
        return await rebuild_reports(db, store, report_id, period=period, as_json=as_json)


def _store(report_id: str) -> ReportStore:
    parse_report_id(report_id)
    return ReportStore(common.settings().need("report_store_url"))


def _document(report_id: str, header: ReportHeader, sums: dict[int, LineSum]) -> dict[str, Any]:
    return {
        "report_id": report_id,
        "invoice_key": header.invoice_key,
        "attribution_id": header.attribution_id,
        "billing_period": header.billing_period,
        "reason": str(header.reason),
        "cutoff": format_instant(header.cutoff),
        "service_start": output.json_instant(header.service_start),
        "currency": header.currency,
        "amount": header.amount,
        "credits": format_credits(header.credits),
        "rate_card": header.rate_card,
        "claims": header.claims,
        "lines": [_line_document(line, sums[line.line_no].claims) for line in header.lines],
    }


def _line_document(line: ReportLine, claims: int) -> dict[str, Any]:
    rated = line.rated
    return {
        "line_no": line.line_no,
        "workspace_class": rated.workspace_class,
        "rate": format_decimal(rated.credits_per_minute),
        "rate_from": format_instant(rated.rate_from),
        "rated_as_default": rated.rated_as_default,
        "price_per_credit": format_decimal(rated.price_per_credit),
        "duration_us": rated.duration_us,
        "credits": format_credits(rated.credits),
        "amount": rated.amount,
        **lines.pricing_document(rated),
        "claims": claims,
    }


def _print(report_id: str, header: ReportHeader, sums: dict[int, LineSum], first: list[ReportClaim]) -> None:
    output.say(report_id)
    since = f"from {output.when(header.service_start)} " if header.service_start else ""
    output.say(f"Invoice {header.invoice_key}, {header.reason}, {since}up to {output.when(header.cutoff)}")
    total = format_amount(header.amount, header.currency)
    output.say(
        f"{total} for {header.credits:,f} credits, {plural(header.claims, 'claim')}, rate card {header.rate_card}"
    )
    names = ("Line", "Class", "Rate from", "Credits/min", "Claims", "Duration", "Credits", "Amount")
    table = output.make_table("", *names, right=("Line", *names[3:]))
    for line in header.lines:
        rated = line.rated
        output.add_row(
            table,
            line.line_no,
            lines.line_name(rated),
            output.when(rated.rate_from, "minutes"),
            format_decimal(rated.credits_per_minute),
            sums[line.line_no].claims,
            lines.line_hours(rated),
            f"{rated.credits:,f}",
            format_amount(rated.amount, header.currency),
        )
    output.print_table(table)
    _print_claims(first)
    if header.claims > len(first):
        output.say(f"... and {header.claims - len(first):,} more: `perdure report export` writes them all.")
    output.say("Verified: the digest is right, and claims, lines and totals agree.")


def _print_claims(claims: list[ReportClaim]) -> None:
    table = output.make_table("", "Line", "Instance", "Workspace", "From", "To", "Duration", right=("Line", "Duration"))
    for claim in claims:
        output.add_row(
            table,
            claim.line_no,
            claim.instance_id,
            claim.workspace_id,
            output.when(claim.start, "microseconds", zone=False),
            output.when(claim.end, "microseconds", zone=False),
            output.hours(claim.duration_us),
        )
    output.print_table(table)
