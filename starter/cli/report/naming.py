"""Which report a person means: by its id, or by its invoice."""

from __future__ import annotations

from dataclasses import dataclass

from billing.report.format import parse_report_id
from starter.cli import common
from starter.cli.database import open_database
from starter.cli.invoices.find import find_invoice
from storage.lookup.naming import names_of


@dataclass(frozen=True)
class NamedReport:
    """A report's id, and the name of its account; None if it has none, or if no database was asked."""

    report_id: str
    account_name: str | None = None


async def find_report(text: str) -> NamedReport:
    """Return the report that a person names by its id, or by its invoice: a key, or Stripe's id or number.

    An id is taken as it is, without a database.

    Raises:
        ReportError: a report id is malformed.
        InputError: there is no such invoice.
        CommandError: the invoice has no report yet.
    """
    if text.startswith("reports/"):
        parse_report_id(text)
        return NamedReport(text)
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, text, parts=True)
        names = await names_of(db, [record.attribution_id])
    if record.report_id is None:
        raise common.CommandError(f"{record.key} has no report yet: it is {record.state}, and published as a draft")
    return NamedReport(record.report_id, names.get(record.attribution_id))
