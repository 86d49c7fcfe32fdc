"""The results of corrections, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from billing.invoice.credit_notes import CreditNoteState
from billing.money import format_amount
from starter.cli import common, output
from starter.cli.invoices.correcting.correcting import CorrectionResult
from starter.cli.invoices.credit_document import credit_note_document
from storage.corrections.reading import CorrectionRecord


def result_document(result: CorrectionResult) -> dict[str, Any]:
    """Return the result as JSON; without a correction, there was nothing to correct."""
    last = result.correction
    return {
        "key": result.invoice_key,
        "made": result.made,
        "correction": last and last.key,
        "corrected": last and last.amount,
        "net": last and last.net,
        "currency": last and last.currency,
        "adjustment": last and last.adjustment,
        "adjustment_state": last and last.adjustment_state,
        "charged_on": last and last.charged_on,
        "credit_notes": [credit_note_document(note) for note in result.credit_notes],
    }


def print_result(result: CorrectionResult, *, as_json: bool) -> None:
    """Print the result of correcting one invoice."""
    if as_json:
        output.print_json(result_document(result))
    else:
        say_result(result)


def say_result(result: CorrectionResult) -> None:
    """Say what a correction has done, and how its credit notes go on."""
    last = result.correction
    if last is None:
        output.say(f"{result.invoice_key}: nothing to correct.")
        return
    known = "" if result.made else " (corrected before: nothing to correct)"
    output.say(f"{result.invoice_key}: {_offset(last)}{known}.")
    for note in result.credit_notes:
        text = f"  {note.key}: {format_amount(note.amount, note.currency)}, {note.state}"
        if note.state is CreditNoteState.BLOCKED:
            output.complain(f"{text}: {note.blocked_reason}; fix the cause, then retry it")
        else:
            output.say(text)


def _offset(last: CorrectionRecord) -> str:
    right = f"{format_amount(last.amount, last.currency)} is right"
    if last.net == 0:
        return f"{right}, as billed"
    if last.net < 0:
        return f"{right}, {format_amount(-last.net, last.currency)} credited"
    where = f"on {last.charged_on}" if last.charged_on else "on the account's next invoice"
    return f"{right}, {format_amount(last.net, last.currency)} charged {where}"


def exit_status(results: Iterable[CorrectionResult]) -> common.ExitStatus:
    """Return the exit status of a command with these results."""
    states = {note.state for result in results for note in result.credit_notes}
    return common.ExitStatus.PERSON if CreditNoteState.BLOCKED in states else common.ExitStatus.DONE
