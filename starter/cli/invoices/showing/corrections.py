"""The corrections of an invoice, as JSON and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.money import format_amount
from billing.pricing.rating import LineKind
from billing.report.canonical import format_credits, format_instant
from starter.cli import output
from starter.words import lines
from storage.corrections.reading import CorrectionRecord


def correction_document(each: CorrectionRecord) -> dict[str, Any]:
    """Return the correction as JSON, with the bill as corrected."""
    return {
        "key": each.key,
        "ordinal": each.ordinal,
        "amount": each.amount,
        "net": each.net,
        "currency": each.currency,
        "repriced": each.repriced,
        "reason": each.reason,
        "recorded_at": format_instant(each.recorded_at),
        "rate_card": each.rate_card_digest,
        "lines": [_line(line) for line in each.lines],
        "credit_notes": list(each.credit_notes),
        "adjustment": each.adjustment,
        "adjustment_state": each.adjustment_state,
        "charged_on": each.charged_on,
    }


def _line(line: InvoiceLineRecord) -> dict[str, Any]:
    rated = line.rated
    return {
        "line_no": line.line_no,
        "workspace_class": rated.workspace_class,
        "rate_from": format_instant(rated.rate_from),
        "duration_us": rated.duration_us,
        "credits": format_credits(rated.credits),
        "amount": rated.amount,
    }


def print_corrections(record: InvoiceRecord, corrections: Sequence[CorrectionRecord]) -> None:
    """Print what each correction changed, and below the last one its bill next to the invoice's."""
    for each in corrections:
        amount = format_amount(each.amount, each.currency)
        output.say(f"Correction {each.ordinal}, {output.when(each.recorded_at)}: {amount} is right, {_offset(each)}.")
        output.say(f"  Reason: {each.reason}")
    if corrections:
        _print_bills(record, corrections[-1])


def _offset(each: CorrectionRecord) -> str:
    if each.net == 0:
        return "as charged"
    net = format_amount(abs(each.net), each.currency)
    if each.net < 0:
        return f"{net} credited by {', '.join(key.rpartition('/')[2] for key in each.credit_notes)}"
    if each.adjustment_state == "charged":
        return f"{net} charged on {each.charged_on}"
    if each.adjustment_state == "withdrawn":
        return f"{net} more, withdrawn before it was charged"
    return f"{net} waits for the account's next invoice"


def _print_bills(record: InvoiceRecord, last: CorrectionRecord) -> None:
    """Print the lines as billed and as corrected, with the same class and rate next to each other.

    What the invoice charges for the corrections of others stays: these lines are on neither side.
    """
    billed = {_identity(line): line for line in record.lines if line.rated.kind is not LineKind.ADJUSTMENT}
    corrected = {_identity(line): line for line in last.lines}
    table = output.make_table("", "Line", "Rate from", "Billed", "Corrected", right=("Billed", "Corrected"))
    for identity in {**billed, **corrected}:
        before, after = billed.get(identity), corrected.get(identity)
        shown = before or after
        if shown is None:
            continue
        output.add_row(
            table,
            lines.line_name(shown.rated),
            output.when(shown.rated.rate_from, "minutes"),
            format_amount(before.rated.amount, record.currency) if before else None,
            format_amount(after.rated.amount, record.currency) if after else None,
        )
    output.print_table(table)


def _identity(line: InvoiceLineRecord) -> tuple[object, ...]:
    return line.rated.kind, line.rated.workspace_class, line.rated.rate_from
