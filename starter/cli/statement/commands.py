"""`perdure invoices statement`: one invoice for its customer, as HTML, PDF, CSV or XLSX."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InputError
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.output.spreadsheets import refuse_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from settings import Settings
    from starter.statements.forms import StatementForm
    from storage.reports.store import ReportStore


@common.command
async def statement(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The invoice: its key, or Stripe's id or number.")],
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="html|pdf|csv|xlsx", help="Default: by the name of the file, else html."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write to this file. Default: standard output.")
    ] = None,
) -> None:
    """Write the statement of an invoice, for its customer.

    A PDF is for printing and sending, HTML for a browser, CSV and XLSX for a spreadsheet. COMPANY_NAME and other
    settings are its letterhead.

    Everything on it adds up to the invoice's total; if it does not, no statement is written.
    """
    # Only here: typesetting and workbooks take long to import.
    from starter.statements.letterhead import letterhead
    from starter.statements.rendering import render
    from storage.invoices.invoices import load_invoice
    from storage.lookup.naming import invoice_key
    from storage.statements.reading import opened_statement

    form, settings = _form(format_, to), common.settings()
    head = letterhead(settings)
    if to is None and form.is_binary:
        refuse_terminal(form.upper(), "--to FILE")
    async with open_database(settings) as db:
        record = await load_invoice(db, await invoice_key(db, key, parts=True))
        assert record is not None  # invoices are never removed
        async with opened_statement(db, record, _store(settings)) as found:
            chunks = render(found, form, head)
            if to is None:
                await _print(chunks)
            else:
                await _save(chunks, to)
                output.complain(f"The statement of {record.key} is written to {to}")


def _form(text: str | None, to: Path | None) -> StatementForm:
    from starter.statements.forms import StatementForm

    forms = ", ".join(StatementForm)
    named = (text or (to.suffix.removeprefix(".") if to else StatementForm.HTML)).lower()
    if named == "htm":
        return StatementForm.HTML
    if named in list(StatementForm):
        return StatementForm(named)
    if text is not None:
        raise InputError(f"--format {text!r}: write {forms}")
    raise InputError(f"the name of {to} does not tell the format: add --format, one of {forms}")


def _store(settings: Settings) -> ReportStore | None:
    from storage.reports.store import ReportStore

    return None if settings.report_store_url is None else ReportStore(settings.report_store_url)


async def _print(chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


async def _save(chunks: AsyncIterator[bytes], path: Path) -> None:
    from starter.sheets import replacing

    try:
        with replacing(path) as file:
            async for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        raise common.CommandError(f"cannot write {path}: {error.strerror or error}") from error
