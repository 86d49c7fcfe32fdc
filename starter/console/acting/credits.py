"""What operators do with credits: credit an amount, a line, days or an instance; retry or withdraw a credit note."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date

from billing.errors import InputError
from billing.invoice.credit_notes import (
    LIVE,
    CreditDestination,
    CreditKind,
    CreditNoteState,
    CreditOrder,
    check_creditable,
    creditable,
    parse_credit,
)
from billing.invoice.key import CreditNoteKey
from billing.invoice.record import InvoiceRecord
from billing.money import format_amount as _money
from contracts.deciding import RequestCredit
from contracts.names import Signals
from starter.acting.credits import blocked_plan, order_plan
from starter.acting.invoices import facts
from starter.acting.plans import Plan
from starter.console.acting.action import ActionChoice, ActionField, ActResult, Given, Proposal, record
from starter.console.acting.invoices import find, page_of
from starter.console.services import ConsoleServices
from storage.decisions.trail import DecisionKind
from storage.invoices import credit_notes, credit_states
from storage.invoices.credit_notes import CreditNoteRecord
from storage.totals.totals import invoice_days
from temporal.asking import request_credit
from temporal.start import start_credit_note

_PATIENCE_SECONDS = 4.0
_POLL_SECONDS = 0.2
_TO = (
    (CreditDestination.BALANCE, "to the customer's balance in Stripe"),
    (CreditDestination.REFUND, "back to the customer, as a refund"),
    (CreditDestination.OUT_OF_BAND, "nowhere in Stripe: it is settled elsewhere"),
)
_REFERENCE = "Reference, to credit the same for the same reason once more"
_MOST_SHOWN = 5
_SEPARATOR = ","


class Credit:
    """Credit an invoice, with a credit note in Stripe."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is credited, or the ways to choose it."""
        invoice = await find(at, given.subject)
        check_creditable(invoice.key, invoice.state)
        order = await _order(at, invoice, given)
        if order is None:
            return await _to_choose(at, invoice)
        priced = await credit_notes.preview_credit(at.db, invoice.key, order)
        plan = order_plan(invoice, order, priced)
        facts = [fact for fact in plan.facts if fact[0] != "Reason"] + await _credited(at, invoice)
        shown = Plan(plan.action, facts, plan.effects)
        names = ("amount", "line", "instance", "days")
        fields = [ActionField(name, kind="hidden", value=given.text(name)) for name in names if given.text(name)]
        fields.append(ActionField("seen", kind="hidden", value=str(priced.amount)))
        chosen = given.text("to") or str(CreditDestination.BALANCE)
        fields.append(
            ActionField("to", "The part that is already paid goes", value=chosen, choices=[(str(a), b) for a, b in _TO])
        )
        fields.append(ActionField("reference", _REFERENCE, value=given.text("reference"), hint="leave it empty else"))
        button, back = f"Credit {_money(priced.amount, invoice.currency)}", page_of(invoice.key)
        return Proposal(shown, button, back, "customer", why=_why(given), fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have the credit recorded, and a credit note made in Stripe."""
        invoice = await find(at, given.subject)
        order = await _order(at, invoice, given)
        if order is None:
            raise InputError("choose what to credit")
        priced = await credit_notes.preview_credit(at.db, invoice.key, order)
        if priced.known is None and given.text("seen") != str(priced.amount):
            raise InputError(f"the credit comes to {_money(priced.amount, invoice.currency)} now: check it again")
        asked = RequestCredit(
            invoice_key=invoice.key,
            kind=order.kind,
            reason=order.reason,
            settle_to=order.settle_to,
            reference=order.reference,
            amount=order.amount,
            line_no=order.line_no,
            instance_id=order.instance_id,
            by=given.by,
            place=given.place,
        )
        found = await request_credit(at.temporal, asked)
        amount = _money(found.amount, found.currency)
        if found.state is CreditNoteState.REQUESTED:
            await start_credit_note(at.temporal, CreditNoteKey.parse(found.credit_note_key), amount)
        if not found.made:
            said = f"A credit of {amount} was requested before with this reason, and is not credited again."
            return replace(await _result(at, found.credit_note_key, said), tone="note")
        return await _result(at, found.credit_note_key, f"A credit of {amount} is requested by {given.by}.")


class BlockedCredit:
    """Retry or withdraw a credit note that Stripe refuses."""

    def __init__(self, *, withdraw: bool) -> None:
        self._withdraw = withdraw

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what happens to the credit note."""
        note = await _blocked(at, given.subject)
        if not self._withdraw:
            await credit_states.check_resumable(at.db, note.key)
        invoice = await find(at, note.invoice_key)
        button = "Withdraw the credit note" if self._withdraw else "Retry the credit note"
        plan = blocked_plan(invoice, note, withdraw=self._withdraw)
        return Proposal(plan, button, page_of(invoice.key), danger=self._withdraw)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Wake the credit note's workflow."""
        note = await _blocked(at, given.subject)
        kind = DecisionKind.WITHDRAW_CREDIT if self._withdraw else DecisionKind.RETRY_CREDIT
        await record(at, given, kind, note.key)
        signal = Signals.WITHDRAW if self._withdraw else Signals.RETRY
        amount = _money(note.amount, note.currency)
        await start_credit_note(at.temporal, CreditNoteKey.parse(note.key), amount, signal)
        done = "withdrawn" if self._withdraw else "retried"
        return await _result(at, note.key, f"The credit of {amount} is {done} by {given.by}.", before=note)


async def _order(at: ConsoleServices, invoice: InvoiceRecord, given: Given) -> CreditOrder | None:
    """Return what is filled in. None if it is nothing yet."""
    to = given.text("to") or str(CreditDestination.BALANCE)
    if to not in list(CreditDestination):
        raise InputError(f"{to!r} is no place for a credit: choose one of {', '.join(CreditDestination)}")
    order = CreditOrder(
        CreditKind.AMOUNT, given.reason or "-", CreditDestination(to), reference=given.text("reference") or None
    )
    if given.text("days"):
        minor = creditable(await _of_days(at, invoice, given.text("days").split(_SEPARATOR)), invoice.currency)
        return replace(order, amount=minor)
    if given.text("amount"):
        return replace(order, amount=parse_credit(given.text("amount"), invoice.currency))
    if given.text("line"):
        if not given.text("line").isdecimal():
            raise InputError(f"{given.text('line')!r} is no line: write its number")
        return replace(order, kind=CreditKind.LINE, line_no=int(given.text("line")))
    if given.text("instance"):
        return replace(order, kind=CreditKind.INSTANCE, instance_id=given.text("instance"))
    return None


async def _credited(at: ConsoleServices, invoice: InvoiceRecord) -> list[tuple[str, str]]:
    """Return what the invoice is credited already, as a fact, newest first; nothing if it is not."""
    found = (await credit_notes.credit_notes_of(at.db, [invoice.id])).get(invoice.id, [])
    live = [note for note in reversed(found) if note.state in LIVE]
    shown = "; ".join(f"{_money(note.amount, note.currency)}, {note.reason}" for note in live[:_MOST_SHOWN])
    more = f"; and {len(live) - _MOST_SHOWN} more" if len(live) > _MOST_SHOWN else ""
    return [("Credited already", f"{shown}{more}")] if live else []


async def _by_day(at: ConsoleServices, invoice: InvoiceRecord) -> dict[str, int]:
    """Return what each day of the invoice's usage costs, in minor units; nothing if it is not known by day."""
    found: Counter[date] = Counter()
    for each in await invoice_days(at.db, invoice.key):
        found[each.day] += each.amount
    return {day.isoformat(): amount for day, amount in sorted(found.items()) if amount}


async def _of_days(at: ConsoleServices, invoice: InvoiceRecord, days: list[str]) -> int:
    amounts = await _by_day(at, invoice)
    for day in days:
        if day not in amounts:
            raise InputError(f"invoice {invoice.key} has no usage on {day}")
    return sum(amounts[day] for day in set(days))


def _why(given: Given) -> str:
    """Return a reason to begin with: which days are credited."""
    days = sorted(set(given.text("days").split(_SEPARATOR))) if given.text("days") else []
    return given.reason or (f"Usage of {', '.join(days)}" if days else "")


async def _to_choose(at: ConsoleServices, invoice: InvoiceRecord) -> Proposal:
    currency = invoice.currency
    choices = [
        ActionChoice(
            "An amount", [ActionField("amount", f"Amount, {currency.upper()}, before tax", hint="12.34", required=True)]
        )
    ]
    if days := await _by_day(at, invoice):
        boxes = [
            ActionField("days", f"{day}: {_money(amount, currency)}", "check", value=day)
            for day, amount in days.items()
        ]
        choices.append(ActionChoice("Days of usage", boxes))
    lines = [
        (str(each.line_no), f"{each.line_no}: {each.rated.workspace_class}, {_money(each.rated.amount, currency)}")
        for each in invoice.lines
    ]
    choices.append(ActionChoice("The rest of a line", [ActionField("line", "Line", choices=lines)]))
    choices.append(ActionChoice("An instance's share", [ActionField("instance", "Instance", hint="id", required=True)]))
    plan = Plan(f"Credit {invoice.key}", facts(invoice), "Choose what to credit. Nothing is done yet.")
    return Proposal(plan, "", page_of(invoice.key), "", choices=choices)


async def _blocked(at: ConsoleServices, key: str) -> CreditNoteRecord:
    note = await credit_notes.load_credit_note(at.db, key)
    if note is None:
        raise InputError(f"there is no credit note {key!r}")
    if note.state is not CreditNoteState.BLOCKED:
        raise InputError(f"credit note {note.key} is {note.state}, not blocked: there is nothing to do")
    return note


async def _result(at: ConsoleServices, key: str, said: str, before: CreditNoteRecord | None = None) -> ActResult:
    """Wait for a moment until Stripe has issued or refused the credit note."""
    give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        note = await credit_notes.load_credit_note(at.db, key)
        assert note is not None  # credit notes are never removed
        same = before is not None and (note.state, note.generation) == (before.state, before.generation)
        if note.state is not CreditNoteState.REQUESTED and not same:
            break
        if asyncio.get_running_loop().time() >= give_up:
            return ActResult(
                f"{said} It is under way: this page shows how it goes on.", page_of(note.invoice_key), "note"
            )
        await asyncio.sleep(_POLL_SECONDS)
    if note.state is CreditNoteState.BLOCKED:
        return ActResult(f"{said} Stripe refuses it: {note.blocked_reason}", page_of(note.invoice_key), "bad")
    return ActResult(f"{said} It is {note.state}.", page_of(note.invoice_key))
