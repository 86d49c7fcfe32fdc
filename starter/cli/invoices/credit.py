"""`perdure invoices credit`: issues a credit note in Stripe, exactly once, and reports the result."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.errors import BlockedInvoiceError, InputError
from billing.invoice.credit_notes import (
    CreditDestination,
    CreditKind,
    CreditNoteState,
    CreditOrder,
    parse_credit,
)
from billing.invoice.key import CreditNoteKey, InvoiceKey
from billing.invoice.record import InvoiceRecord
from billing.money import format_amount
from contracts import workflow_ids
from contracts.deciding import RequestCredit
from contracts.names import Signals
from starter.acting.credits import blocked_plan, order_plan
from starter.acting.mode import Mode, mode_of
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, By, DryRun, Yes, agreed, decider
from starter.cli.acting.recording import record_decisions
from starter.cli.database import open_database
from starter.cli.invoices.credit_document import credit_note_document, sentence
from starter.cli.invoices.find import find_invoice
from starter.cli.steps.asking import failing_or_nothing
from starter.cli.steps.words import sentence as why
from storage.decisions.trail import DecisionKind
from storage.invoices import credit_notes, credit_states
from storage.invoices.credit_notes import CreditNoteRecord
from storage.postgres.database import Database
from temporal.asking import request_credit
from temporal.client import connect
from temporal.start import start_credit_note

To = Annotated[str, typer.Option(metavar="|".join(CreditDestination), help="Where the part that is already paid goes.")]
Reference = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Name the credit note; another name allows the same again.")
]
Retry = Annotated[str | None, typer.Option(metavar="REFERENCE", help="Instead, retry this blocked credit note.")]
Withdraw = Annotated[str | None, typer.Option(metavar="REFERENCE", help="Instead, withdraw this blocked credit note.")]

_POLL_SECONDS = 0.2


@common.command
async def credit(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The invoice key.")],
    amount: Annotated[str | None, typer.Option(metavar="12.34", help="This much, in major units, before tax.")] = None,
    line: Annotated[int | None, typer.Option(metavar="N", help="The rest of this line.")] = None,
    instance: Annotated[str | None, typer.Option(metavar="ID", help="This instance's share of the invoice.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason; the customer sees it.")] = None,
    to: To = CreditDestination.BALANCE,
    reference: Reference = None,
    retry: Retry = None,
    withdraw: Withdraw = None,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the result.")] = 15.0,
    as_json: common.AsJson = False,
) -> int:
    """Credit a finalized invoice, with a credit note in Stripe.

    Repeating the command credits once. The status is 3 if the credit note is blocked, and 1 if it was voided earlier.
    """
    _check_one(amount, line, instance, retry, withdraw)
    known, asked = retry if withdraw is None else withdraw, ActOptions(yes, dry_run, as_json)
    settings = common.settings()
    async with open_database(settings) as db:
        invoice, mode = await find_invoice(db, key), await mode_of(settings, db)
        if known is None:
            order = _order(invoice, amount=amount, line=line, instance=instance, reason=reason, to=to, name=reference)
            requested = await _requested(db, invoice, order, mode, asked, decider(by))
        else:
            requested = await _resumed(db, invoice, known, mode, asked, decider(by), withdraws=withdraw is not None)
        if requested is None:
            return common.ExitStatus.DONE
        note, made = requested
        if known is not None or note.state is CreditNoteState.REQUESTED:
            signal = Signals.WITHDRAW if withdraw is not None else Signals.RETRY if retry is not None else None
            await wake(note, signal)
            note = await settled(db, note, wait)
    await _tell(note, made=made, as_json=as_json)
    return _status(note, withdrawn=withdraw is not None)


async def _requested(
    db: Database, invoice: InvoiceRecord, order: CreditOrder, mode: Mode, asked: ActOptions, who: str
) -> tuple[CreditNoteRecord, bool] | None:
    """Record the request once it is agreed to. Returns it, and whether it is new; None if it is a dry run."""
    try:
        priced = await credit_notes.preview_credit(db, invoice.key, order)
        if (asked.dry_run or priced.known is None) and not agreed(order_plan(invoice, order, priced), mode, asked):
            return None
        asked_for = RequestCredit(
            invoice_key=invoice.key,
            kind=order.kind,
            reason=order.reason,
            settle_to=order.settle_to,
            reference=order.reference,
            amount=order.amount,
            line_no=order.line_no,
            instance_id=order.instance_id,
            by=who,
        )
        found = await request_credit(await connect(), asked_for)
        note = await credit_notes.load_credit_note(db, found.credit_note_key)
        assert note is not None  # credit notes are never removed
        return note, found.made
    except BlockedInvoiceError as error:
        raise common.CommandError(
            f"{error}: fix the cause and run `perdure invoices retry '{invoice.key}'` first", common.ExitStatus.PERSON
        ) from None


async def _resumed(
    db: Database, invoice: InvoiceRecord, reference: str, mode: Mode, asked: ActOptions, who: str, *, withdraws: bool
) -> tuple[CreditNoteRecord, bool] | None:
    """Return the blocked credit note once it is agreed to retry or withdraw it. None if it is a dry run."""
    note = await _blocked(db, invoice.key, reference)
    if not withdraws:
        await credit_states.check_resumable(db, note.key)
    if not agreed(blocked_plan(invoice, note, withdraw=withdraws), mode, asked):
        return None
    kind = DecisionKind.WITHDRAW_CREDIT if withdraws else DecisionKind.RETRY_CREDIT
    await record_decisions(await connect(), kind, note.key, by=who)
    return note, False


async def _tell(note: CreditNoteRecord, *, made: bool, as_json: bool) -> None:
    """Print the credit note, and what keeps it from getting on if it is still in progress."""
    _print(note, made=made, as_json=as_json)
    if note.state is CreditNoteState.REQUESTED and not as_json:
        for group in await failing_or_nothing(workflow_ids.credit_note(note.key)):
            output.say(f"{why(group, datetime.now(UTC))}.")


def _status(note: CreditNoteRecord, *, withdrawn: bool) -> common.ExitStatus:
    if note.state is CreditNoteState.BLOCKED:
        return common.ExitStatus.PERSON
    lost = note.state is CreditNoteState.VOIDED and not withdrawn
    return common.ExitStatus.FAILED if lost else common.ExitStatus.DONE


def _check_one(*asked: object) -> None:
    if sum(value is not None for value in asked) != 1:
        raise InputError(
            "say what to credit with one of --amount, --line, --instance; or --retry or --withdraw a blocked one"
        )


def _order(
    invoice: InvoiceRecord,
    *,
    amount: str | None,
    line: int | None,
    instance: str | None,
    reason: str | None,
    to: str,
    name: str | None,
) -> CreditOrder:
    if reason is None:
        raise InputError("--reason: say why; the customer sees it")
    if to not in list(CreditDestination):
        raise InputError(f"--to {to!r}: write one of {', '.join(CreditDestination)}")
    kind = CreditKind.INSTANCE if instance is not None else CreditKind.AMOUNT if line is None else CreditKind.LINE
    return CreditOrder(
        kind=kind,
        reason=reason,
        settle_to=CreditDestination(to),
        reference=name,
        amount=None if amount is None else parse_credit(amount, invoice.currency),
        line_no=line,
        instance_id=instance,
    )


async def _blocked(db: Database, key: str, reference: str) -> CreditNoteRecord:
    note = await credit_notes.load_credit_note(db, str(CreditNoteKey(InvoiceKey.parse(key), reference)))
    if note is None:
        raise InputError(
            f"invoice {key} has no credit note {reference!r}: `perdure invoices show` lists its credit notes"
        )
    if note.state is not CreditNoteState.BLOCKED:
        raise common.CommandError(f"credit note {note.key} is {note.state}, not blocked: there is nothing to do")
    return note


async def wake(note: CreditNoteRecord, signal: str | None) -> None:
    """Start the credit note's workflow, or signal it."""
    amount = format_amount(note.amount, note.currency)
    await start_credit_note(await connect(), CreditNoteKey.parse(note.key), amount, signal)


async def settled(db: Database, before: CreditNoteRecord, patience_seconds: float) -> CreditNoteRecord:
    """Wait until Stripe has issued or refused (again) the credit note, or patience ends. Returns its last state."""
    note = before
    give_up = asyncio.get_running_loop().time() + patience_seconds
    while asyncio.get_running_loop().time() < give_up:
        found = await credit_notes.load_credit_note(db, before.key)
        assert found is not None  # credit notes are never removed
        note = found
        if note.state is not CreditNoteState.REQUESTED and (note.state, note.generation) != (
            before.state,
            before.generation,
        ):
            break
        await asyncio.sleep(_POLL_SECONDS)
    return note


def _print(note: CreditNoteRecord, *, made: bool, as_json: bool) -> None:
    if as_json:
        output.print_json({**credit_note_document(note), "made": made})
    elif note.state is CreditNoteState.ISSUED:
        known = "" if made else " (requested before: not credited again)"
        output.say(f"{note.key}: {sentence(note)}, as {note.stripe_credit_note_id}{known}")
    elif note.state is CreditNoteState.REQUESTED:
        output.say(f"{note.key}: {sentence(note)}; still in progress: `perdure invoices show` shows how it goes on")
    elif note.state is CreditNoteState.VOIDED:
        how = "withdrawn" if note.stripe_credit_note_id is None else "voided in Stripe"
        output.complain(f"{note.key}: {sentence(note)}; it was {how}: use a new --reference to credit again")
    else:
        reference = CreditNoteKey.parse(note.key).reference
        output.complain(f"{note.key}: {sentence(note)}; fix the cause, then use --retry {reference}")
