"""A statement as tables: one for CSV, whose amounts add up to the total, and a workbook of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC

from billing.statement.model import Statement, StatementItem, StatementLine, item_decimals
from starter.sheets import Cell, Money, Row, Sheet, SheetColumn, StrongRow
from starter.statements import words
from starter.statements.letterhead import Letterhead
from starter.statements.viewing import view_of

_MINUTE_US = 60_000_000


def rows_sheet(statement: Statement) -> Sheet:
    """Return the one table: a row for each item, each rest and each adjustment. Their amounts add up to the total."""
    more = item_decimals(statement.currency)
    columns = (
        *(SheetColumn("invoice"), SheetColumn("status"), SheetColumn("row"), SheetColumn("line")),
        *(SheetColumn("description"), SheetColumn("instance"), SheetColumn("workspace"), SheetColumn("project")),
        *(SheetColumn("from"), SheetColumn("to"), SheetColumn("intervals"), SheetColumn("minutes", decimals=6)),
        *(SheetColumn("quantity"), SheetColumn("credits", decimals=6), SheetColumn("amount", decimals=more)),
        SheetColumn("currency", currency=True),
    )
    return Sheet("Statement", columns, _rows(statement))


def workbook_sheets(statement: Statement, letterhead: Letterhead) -> Sequence[Sheet]:
    """Return the sheets of the workbook: the statement, its lines, its instances, projects and credit notes."""
    sheets = [_summary(statement, letterhead), _lines(statement), _instances(statement)]
    if statement.projects:
        sheets.append(_projects(statement))
    if statement.credit_notes or statement.refunds:
        sheets.append(_afterwards(statement))
    return sheets


def _rows(statement: Statement) -> Iterator[Row]:
    currency, head = statement.currency, (statement.key, str(statement.mark))
    last = currency.upper()
    for line in statement.lines:
        number, name = line.record.line_no, words.line_name(line.record.rated)
        for item in statement.items.of_line(number):
            yield (*head, "usage", number, name, *_item(item), Money(item.amount, currency), last)
        rest = (None,) * 7
        if line.items:
            yield (
                *(*head, "rounding", number, f"Rounding of line {number}", *rest, None),
                *(line.rest_credits, Money(line.rest_amount, currency), last),
            )
        elif line.rest_amount or line.rest_credits:
            what = words.line_arithmetic(line.record.rated, currency)
            yield (
                *(*head, str(line.record.rated.kind), number, f"{name}: {what}", *rest, None),
                *(line.rest_credits, Money(line.rest_amount, currency), last),
            )
    for each in statement.adjustments:
        yield (*head, "stripe", None, each.what, *(None,) * 9, Money.of(each.amount, currency), last)


def _item(item: StatementItem) -> Sequence[Cell]:
    return (
        *(item.instance_id, item.workspace_id, item.project_id, item.start, item.end, item.intervals),
        *(words.exact_minutes(item.duration_us), item.quantity, item.credits),
    )


def _summary(statement: Statement, letterhead: Letterhead) -> Sheet:
    view, currency = view_of(statement, letterhead), statement.currency
    rows: list[Row] = [StrongRow((view.heading, view.notice))]
    rows += [("Sender", line) for line in (view.company, *view.address) if line]
    rows += [("Customer", view.customer), ("Account", statement.attribution_id)]
    rows += list(view.facts)
    rows += [("Subtotal of the lines", Money.of(statement.amount, currency))]
    rows += [(each.what, Money.of(each.amount, currency)) for each in statement.adjustments]
    rows += [StrongRow((view.total_label, Money.of(statement.total, currency)))]
    rows += [("", view.explanation)]
    return Sheet("Statement", (SheetColumn("Statement", width=34), SheetColumn("Value", width=60, wrap=True)), rows)


def _lines(statement: Statement) -> Sheet:
    currency = statement.currency
    columns = (
        *(SheetColumn("Line"), SheetColumn("Usage"), SheetColumn("Computed as", width=60, wrap=True)),
        *(SheetColumn("Minutes", total=True, decimals=6), SheetColumn("Credits", total=True, decimals=6)),
        *(SheetColumn("Amount", total=True), SheetColumn("Currency", currency=True)),
    )

    def rows() -> Iterator[Row]:
        for line in statement.lines:
            rated = line.record.rated
            yield (
                *(line.record.line_no, words.line_name(rated), words.line_arithmetic(rated, currency)),
                *(words.exact_minutes(rated.duration_us), rated.credits, Money.of(rated.amount, currency)),
                currency.upper(),
            )
        for each in statement.adjustments:
            yield (None, each.what, None, None, None, Money.of(each.amount, currency), currency.upper())

    return Sheet("Lines", columns, rows(), empty="No usage.")


def _instances(statement: Statement) -> Sheet:
    currency, more = statement.currency, item_decimals(statement.currency)
    columns = (
        *(SheetColumn("Line"), SheetColumn("Usage"), SheetColumn("Instance"), SheetColumn("Workspace")),
        *(SheetColumn("Project"), SheetColumn("From (UTC)"), SheetColumn("To (UTC)"), SheetColumn("Intervals")),
        *(SheetColumn("Minutes", total=True, decimals=6), SheetColumn("Quantity")),
        SheetColumn("Credits", total=True, decimals=6),
        *(SheetColumn("Amount", total=True, decimals=more), SheetColumn("Currency", currency=True)),
    )

    def rows() -> Iterator[Row]:
        for line in statement.lines:
            name = words.line_name(line.record.rated)
            for item in statement.items.of_line(line.record.line_no):
                cells = (line.record.line_no, name, *_item(item))
                yield (*cells, Money(item.amount, currency), currency.upper())
            if line.rest_amount or line.rest_credits:
                yield (*_rest(line), Money(line.rest_amount, currency), currency.upper())

    return Sheet("Instances", columns, rows(), empty="No usage.")


def _rest(line: StatementLine) -> Sequence[Cell]:
    what = f"Rounding of line {line.record.line_no}" if line.items else words.line_name(line.record.rated)
    return (line.record.line_no, what, *(None,) * 8, line.rest_credits)


def _projects(statement: Statement) -> Sheet:
    currency, more = statement.currency, item_decimals(statement.currency)
    columns = (
        *(SheetColumn("Project"), SheetColumn("Instances", total=True), SheetColumn("Minutes", total=True, decimals=6)),
        *(SheetColumn("Credits", total=True, decimals=6), SheetColumn("Amount", total=True, decimals=more)),
        SheetColumn("Currency", currency=True),
    )

    def rows() -> Iterator[Row]:
        for each in statement.projects:
            yield (
                *(each.project_id or "Without a project", each.items, words.exact_minutes(each.duration_us)),
                *(each.credits, Money(each.amount, currency), currency.upper()),
            )
        for line in statement.lines:
            if line.rest_amount or line.rest_credits:
                what = _rest(line)[1]
                yield (what, None, None, line.rest_credits, Money(line.rest_amount, currency), currency.upper())

    return Sheet("Projects", columns, rows())


def _afterwards(statement: Statement) -> Sheet:
    currency = statement.currency
    columns = (
        *(SheetColumn("Kind"), SheetColumn("Stripe id"), SheetColumn("Date (UTC)"), SheetColumn("Reason", wrap=True)),
        *(SheetColumn("Amount", total=False), SheetColumn("Currency", currency=True)),
    )

    def rows() -> Iterator[Row]:
        for note in statement.credit_notes:
            at = None if note.issued_at is None else note.issued_at.astimezone(UTC)
            yield (
                *("Credit note, before tax", note.stripe_credit_note_id or note.reference, at, note.reason),
                *(Money.of(-note.amount, currency), currency.upper()),
            )
        for each in statement.refunds:
            yield (
                *(f"Refund, {each.status}", each.stripe_refund_id, each.created_at.astimezone(UTC), each.reason),
                *(Money.of(-each.amount, currency), currency.upper()),
            )

    return Sheet("Credit notes and refunds", columns, rows())
