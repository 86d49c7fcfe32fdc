"""From a statement to what its page shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from decimal import Decimal

from billing.money import EXACT
from billing.periods import BillingPeriod
from billing.statement.model import EDITED, Statement, StatementLine, StatementMark, StatementProject, item_decimals
from billing.text import plural
from starter.statements import words
from starter.statements.letterhead import Letterhead
from starter.statements.view import ItemRow, LineRow, LineSection, NoteRow, ProjectRow, StatementView, SumRow

_MOST_PROJECTS = 100
_STAMPS = {
    StatementMark.PREVIEW: "Preview",
    StatementMark.REVIEW: "In review",
    StatementMark.VOIDED: "Voided",
    StatementMark.DELETED: "Deleted",
}
_STATES = {
    StatementMark.PREVIEW: "Not an invoice",
    StatementMark.REVIEW: "In review",
    StatementMark.OPEN: "Open",
    StatementMark.PAID: "Paid",
    StatementMark.UNCOLLECTIBLE: "Uncollectible",
    StatementMark.VOIDED: "Voided",
    StatementMark.DELETED: "Deleted",
}
_NOTICES = {
    StatementMark.PREVIEW: "Preview, not an invoice. The figures can change until the invoice is finalized.",
    StatementMark.REVIEW: "In review. This invoice is being checked.",
    StatementMark.VOIDED: "Voided. Nothing is owed for this invoice.",
    StatementMark.DELETED: "Deleted before it was finalized. Nothing is owed.",
}


def view_of(statement: Statement, letterhead: Letterhead) -> StatementView:
    """Return the page of a statement, without its items."""
    currency, mark = statement.currency, statement.mark
    name = statement.number or statement.key
    return StatementView(
        title=f"Statement {name}",
        heading="Preview" if mark is StatementMark.PREVIEW else "Statement",
        stamp=_STAMPS.get(mark),
        state=_state(statement, letterhead.zone),
        notice=_NOTICES.get(mark),
        company=letterhead.company,
        address=letterhead.address,
        customer=statement.customer or statement.attribution_id,
        customer_id=statement.attribution_id if statement.customer else None,
        facts=_facts(statement, letterhead.zone),
        currency=currency.upper(),
        total_label=_total_label(statement),
        total=words.priced(statement.total, currency),
        lines=tuple(_line(line, currency, seconds=statement.extent.seconds) for line in statement.lines),
        sums=_sums(statement),
        credit_notes=_credit_notes(statement, letterhead.zone),
        net=_net(statement),
        refunds=_refunds(statement, letterhead.zone),
        projects=_projects(statement),
        sections=tuple(_section(line, currency) for line in statement.lines if line.items),
        has_workspaces=statement.extent.workspace > 0,
        has_projects=statement.extent.project > 0,
        has_quantities=statement.extent.quantities,
        clock="h:mm:ss" if statement.extent.seconds else "h:mm",
        foot=name,
        explanation=_explanation(statement, letterhead.zone),
    )


def item_rows(statement: Statement, line_no: int, zone: tzinfo) -> Iterator[ItemRow]:
    """Yield the items of a line as texts."""
    for item in statement.items.of_line(line_no):
        yield ItemRow(
            instance=item.instance_id,
            workspace=item.workspace_id or "",
            project=item.project_id or "",
            start=words.instant(item.start, zone),
            end=words.instant(item.end, zone) + words.intervals_of(item),
            time=words.length(item.duration_us, seconds=statement.extent.seconds),
            quantity=words.quantity(item.quantity),
            credits=words.credits_of(item.credits),
            amount=words.share(item.amount, statement.currency),
        )


def _state(statement: Statement, zone: tzinfo) -> str:
    state = _STATES[statement.mark]
    return state if statement.ended_at is None else f"{state} on {words.day(statement.ended_at, zone)}"


def _facts(statement: Statement, zone: tzinfo) -> tuple[tuple[str, str], ...]:
    start = statement.start or BillingPeriod.parse(statement.billing_period).start(zone)
    found = [
        ("Invoice number", statement.number),
        ("Invoice", statement.key),
        ("Billing period", statement.billing_period),
        ("Usage", f"{words.instant(start, zone)} to {words.instant(statement.cutoff, zone)}"),
        ("Invoice date", None if statement.finalized_at is None else words.day(statement.finalized_at, zone)),
        ("Status", _state(statement, zone)),
        ("Currency", statement.currency.upper()),
        ("Time zone", str(zone)),
        ("Stripe invoice", statement.stripe_invoice_id),
    ]
    return tuple((name, value) for name, value in found if value)


def _total_label(statement: Statement) -> str:
    return "Total" if statement.total_known else "Total before discounts and tax"


def _line(line: StatementLine, currency: str, *, seconds: bool) -> LineRow:
    rated = line.record.rated
    arithmetic = words.line_arithmetic(rated, currency)
    if line.record.carried_us:
        arithmetic += f"; {words.length(line.record.carried_us, seconds=seconds)} h of it from earlier periods"
    return LineRow(
        number=str(line.record.line_no),
        name=words.line_name(rated),
        arithmetic=arithmetic,
        time=words.length(rated.duration_us, seconds=seconds) if rated.duration_us else "",
        credits=words.credits_of(rated.credits) if rated.duration_us else "",
        amount=words.money(rated.amount, currency),
    )


def _sums(statement: Statement) -> tuple[SumRow, ...]:
    currency = statement.currency
    total = SumRow(_total_label(statement), words.priced(statement.total, currency), strong=True)
    if not statement.adjustments:
        return (total,)
    return (
        SumRow("Subtotal", words.money(statement.amount, currency), strong=True),
        *(SumRow(each.what, words.money(each.amount, currency)) for each in statement.adjustments),
        total,
    )


def _credit_notes(statement: Statement, zone: tzinfo) -> tuple[NoteRow, ...]:
    return tuple(
        NoteRow(
            f"Credit note {note.stripe_credit_note_id or note.reference}",
            "" if note.issued_at is None else words.day(note.issued_at, zone),
            note.reason,
            words.money(-note.amount, statement.currency),
        )
        for note in statement.credit_notes
    )


def _net(statement: Statement) -> SumRow | None:
    """Return what the credit notes leave of the subtotal: they are before tax, as it is."""
    if not statement.credit_notes:
        return None
    edited = sum(each.amount for each in statement.adjustments if each.what == EDITED)
    left = statement.amount + edited - statement.credited
    return SumRow("Subtotal less credit notes, before tax", words.priced(left, statement.currency), strong=True)


def _refunds(statement: Statement, zone: tzinfo) -> tuple[NoteRow, ...]:
    return tuple(
        NoteRow(
            f"Refund {each.stripe_refund_id}",
            words.day(each.created_at, zone),
            ", ".join(text for text in (each.status, each.reason.replace("_", " ")) if text),
            words.money(-each.amount, statement.currency),
        )
        for each in statement.refunds
    )


def _projects(statement: Statement) -> tuple[ProjectRow, ...]:
    """Return the projects, the smaller ones together, and what makes their sum the subtotal."""
    if not statement.projects:
        return ()
    listed = list(statement.projects[:_MOST_PROJECTS])
    rows = [_project(statement, each.project_id, [each]) for each in listed]
    if others := statement.projects[_MOST_PROJECTS:]:
        rows.append(_project(statement, None, others, plural(len(others), "other project")))
    rests = [line for line in statement.lines if line.rest_amount or line.rest_credits]
    for what, of in (
        ("Rounding", [line for line in rests if line.items]),
        ("Included credits and graduated prices", [line for line in rests if not line.items]),
    ):
        if of:
            amount, credits = _sum(line.rest_amount for line in of), _sum(line.rest_credits for line in of)
            rows.append(
                ProjectRow(what, "", "", words.credits_of(credits), words.share(amount, statement.currency), faint=True)
            )
    return tuple(rows)


def _project(
    statement: Statement, project_id: str | None, found: Sequence[StatementProject], name: str = "Without a project"
) -> ProjectRow:
    return ProjectRow(
        project_id or name,
        f"{sum(each.items for each in found):,}",
        words.length(sum(each.duration_us for each in found), seconds=statement.extent.seconds),
        words.credits_of(_sum(each.credits for each in found)),
        words.share(_sum(each.amount for each in found), statement.currency),
        is_id=project_id is not None,
    )


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    return total


def _section(line: StatementLine, currency: str) -> LineSection:
    rated = line.record.rated
    subtotal = words.whole(rated.amount, currency) - line.rest_amount
    return LineSection(
        line_no=line.record.line_no,
        name=words.line_name(rated),
        arithmetic=words.line_arithmetic(rated, currency),
        items=plural(line.items, "instance"),
        items_credits=words.credits_of(rated.credits - line.rest_credits),
        items_amount=words.share(subtotal, currency),
        rest_credits=words.credits_of(line.rest_credits),
        rest_amount=words.share(line.rest_amount, currency),
        credits=words.credits_of(rated.credits),
        amount=words.money(rated.amount, currency),
        padding=words.padding(rated.amount, currency),
    )


def _explanation(statement: Statement, zone: tzinfo) -> str:
    return (
        f"Times are in {zone}. Amounts of instances have {item_decimals(statement.currency)} decimals; each line is "
        "rounded once, and its rounding is shown, so that instances, lines and total add up."
    )
