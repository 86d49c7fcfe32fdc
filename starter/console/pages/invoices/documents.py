"""Files about an invoice: its statement for the customer, and the stored usage report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from urllib.parse import quote

from aiohttp import web

from billing.errors import PermanentError
from billing.invoice.record import InvoiceRecord
from settings import Settings
from starter.console.pages.downloads import send
from starter.console.services import ConsoleServices, services
from starter.statements.forms import StatementForm, file_name
from starter.statements.letterhead import letterhead
from starter.statements.rendering import render
from storage.invoices.invoices import load_invoice
from storage.reports.store import ReportStore
from storage.statements.reading import opened_statement

routes = web.RouteTableDef()

_JSONL = "application/jsonl"
_NAMES = {
    StatementForm.PDF: "Statement as PDF",
    StatementForm.HTML: "Statement as HTML",
    StatementForm.XLSX: "Statement as XLSX",
    StatementForm.CSV: "Statement as CSV",
}


def downloads_of(settings: Settings, record: InvoiceRecord) -> Sequence[tuple[str, str]]:
    """Return the files about an invoice, as pairs of a name and an address.

    The usage report is one of them if this process has a report store.
    """
    key = quote(record.key, safe="/:")
    found = [(name, f"/statements/{key}.{form}") for form, name in _NAMES.items()]
    if record.report_id is not None and settings.report_store_url is not None:
        found.append(("Usage report (JSON Lines)", f"/reports/{key}.jsonl"))
    return found


@routes.get("/statements/{key:.+}.{form:html|pdf|csv|xlsx}")
async def statement(request: web.Request) -> web.StreamResponse:
    """Send the statement of an invoice as a file."""
    own, form = services(request), StatementForm(request.match_info["form"])
    record = await _load(own, request.match_info["key"])
    try:
        async with own.heavy.one(), opened_statement(own.db, record) as found:
            chunks = render(found, form, letterhead(own.settings))
            return await send(request, chunks, file_name(found, form), form.media_type)
    except PermanentError as error:
        raise web.HTTPConflict(text=f"There is no statement of this invoice now: {error}.") from None


@routes.get("/reports/{key:.+}.jsonl")
async def report(request: web.Request) -> web.StreamResponse:
    """Send the stored usage report of an invoice as it is."""
    own = services(request)
    record = await _load(own, request.match_info["key"])
    if record.report_id is None or own.settings.report_store_url is None:
        raise web.HTTPNotFound(text="This console has no usage report of the invoice.")
    store = ReportStore(own.settings.report_store_url)
    try:
        async with own.heavy.one(), aclosing(store.read(record.report_id)) as lines:
            return await send(request, lines, f"report-{record.key.replace('/', '-')}.jsonl", _JSONL)
    except PermanentError as error:
        raise web.HTTPConflict(text=f"The usage report cannot be sent: {error}.") from None


async def _load(own: ConsoleServices, key: str) -> InvoiceRecord:
    record = None if "\0" in key else await load_invoice(own.db, key)
    if record is None:
        raise web.HTTPNotFound(text=f"There is no invoice {key[:200]}.")
    return record
