"""What operators do with an invoice: retry, approve, rebuild, void, write off, correct."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from billing.errors import InputError
from billing.invoice.key import InvoiceKey
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, OPEN, InvoiceState
from billing.money import to_major
from billing.periods import BillingPeriod
from starter.acting import invoices as acting
from starter.acting.invoices import InvoiceDecision
from starter.acting.outcomes import is_over, standing
from starter.acting.plans import Plan
from starter.console.acting.action import ActionField, ActResult, Given, Proposal, record
from starter.console.services import ConsoleServices
from starter.words.times import when
from storage.decisions.trail import DecisionKind
from storage.invoices import invoices
from temporal.decisions import decide
from temporal.start import retry_invoice, start_period

_PATIENCE_SECONDS = 4.0
_POLL_SECONDS = 0.2
_WRITE_OFF = "Write its usage off: it is never billed again"
_OR_WRITTEN_OFF = "If you tick so below, it is written off instead, and never billed again."


async def find(at: ConsoleServices, key: str) -> InvoiceRecord:
    """Load an invoice.

    Raises:
        InputError: there is no such invoice.
    """
    found = await invoices.load_invoice(at.db, key)
    if found is None:
        raise InputError(f"there is no invoice {key!r}")
    return found


def page_of(key: str) -> str:
    """Return the page of an invoice."""
    return f"/invoices/{key}"


async def result(at: ConsoleServices, before: InvoiceRecord, asked: str, *, voids: bool = False) -> ActResult:
    """Wait for a moment for the effect of a decision; return it, or that it is under way."""
    now = await _until_over(at, before, voids=voids)
    to = page_of(before.key)
    if not is_over(before, now, voids=voids):
        return ActResult(f"{_sentence(asked)} It is under way: this page shows how it goes on.", to, "note")
    if now.state is InvoiceState.BLOCKED:
        return ActResult(f"{_sentence(asked)} The invoice is blocked: {now.blocked_reason}", to, "bad")
    return ActResult(f"{_sentence(asked)} The invoice is {standing(now, voids=voids)}.", to)


async def _until_over(at: ConsoleServices, before: InvoiceRecord, *, voids: bool) -> InvoiceRecord:
    give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        now = await find(at, before.key)
        if is_over(before, now, voids=voids) or asyncio.get_running_loop().time() >= give_up:
            return now
        await asyncio.sleep(_POLL_SECONDS)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


class Retry:
    """Have a blocked invoice go on, after its cause is fixed."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what a retry does."""
        found = await self._find(at, given)
        plan = acting.retry_plan([found], None)
        facts = [*acting.facts(found), ("Blocked", found.blocked_reason or "")]
        return Proposal(Plan(f"Retry {found.key}", facts, plan.effects), "Retry the invoice", page_of(found.key))

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Wake the invoice's workflow."""
        before = await self._find(at, given)
        await record(at, given, DecisionKind.RETRY, before.key)
        await retry_invoice(at.temporal, InvoiceKey.parse(before.key))
        return await result(at, before, f"retried by {given.by}")

    async def _find(self, at: ConsoleServices, given: Given) -> InvoiceRecord:
        found = await find(at, given.subject)
        if found.state not in OPEN:
            raise InputError(f"invoice {found.key} is {found.state}: there is nothing to retry")
        if found.blocked_kind is BlockedKind.LIMIT:
            raise InputError(f"invoice {found.key} is held by a limit: approve it instead")
        return found


class _Decided:
    """A decision that the invoice's workflow records."""

    button = ""
    reason = "optional"
    danger = False
    voids = False

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return what is decided."""
        raise NotImplementedError

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what the decision does."""
        found = await find(at, given.subject)
        plan, fields = self.plan(found, given), self.fields(found, given)
        return Proposal(plan, self.button, page_of(found.key), self.reason, fields=fields, danger=self.danger)

    def plan(self, found: InvoiceRecord, given: Given) -> Plan:
        """Return what will happen."""
        return self.decision(found, given).plan

    def fields(self, found: InvoiceRecord, given: Given) -> list[ActionField]:
        """Return what the form carries."""
        del found, given
        return []

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have it recorded by the invoice's workflow."""
        before = await find(at, given.subject)
        decision = self.decision(before, given)
        await decide(at.temporal, before.key, decision.update, decision.message)
        return await result(at, before, decision.asked, voids=self.voids)


class Approve(_Decided):
    """Release an invoice that waits for a person, at the amount that the person has seen."""

    button = "Approve the invoice"
    reason = "required"

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return the approval, of the amount in the form."""
        return acting.approval(found, given.text("amount") or None, given.by, given.reason, given.place)

    def fields(self, found: InvoiceRecord, given: Given) -> list[ActionField]:
        """Return the amount that is approved: another one since is refused."""
        del given
        edited = found.blocked_kind is BlockedKind.EDITED and found.found_subtotal is not None
        figure = found.found_subtotal if edited and found.found_subtotal is not None else found.amount
        return [ActionField("amount", kind="hidden", value=format(to_major(figure, found.currency), "f"))]


class Rebuild(_Decided):
    """Make an invoice that was edited in Stripe again from our lines."""

    button = "Rebuild the invoice"
    danger = True

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return the rebuild."""
        return acting.rebuild(found, given.by, given.reason, given.place)


class Void(_Decided):
    """Void an invoice; its usage is billable again, or written off."""

    button = "Void the invoice"
    reason = "required"
    danger = True
    voids = True

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return the void."""
        write_off = given.text("write_off") == "yes"
        return acting.void(found, given.by, given.reason, given.place, write_off=write_off)

    def plan(self, found: InvoiceRecord, given: Given) -> Plan:
        """Return what will happen with the choice below it, and without."""
        if found.state in DEAD:
            return super().plan(found, given)
        plan = acting.void(found, given.by, given.reason, given.place, write_off=False).plan
        return replace(plan, effects=f"{plan.effects} {_OR_WRITTEN_OFF}")

    def fields(self, found: InvoiceRecord, given: Given) -> list[ActionField]:
        """Return the choice to write the usage off, which a dead invoice has by itself. A refusal keeps its tick."""
        if found.state in DEAD:
            return []
        return [ActionField("write_off", _WRITE_OFF, kind="check", checked=given.text("write_off") == "yes")]


class WriteOff(_Decided):
    """Never bill the usage of a voided invoice again."""

    button = "Write the usage off"
    reason = "required"
    danger = True
    voids = True

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return the write-off.

        Raises:
            InputError: the invoice is not voided.
        """
        if found.state not in DEAD:
            raise InputError(f"invoice {found.key} is {found.state}: void it first")
        return acting.void(found, given.by, given.reason, given.place, write_off=True)


class Correct(Void):
    """Void an invoice and bill its usage again, as it is known now. An invoice that is voided is only billed again."""

    button = "Void it and bill again"

    def decision(self, found: InvoiceRecord, given: Given) -> InvoiceDecision:
        """Return the void, without a write-off."""
        return acting.void(found, given.by, given.reason, given.place, write_off=False)

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what the correction does."""
        found = await find(at, given.subject)
        voided = _is_billable_again(found)
        facts = acting.facts(found) if voided else self.decision(found, given).plan.facts
        first = f"It is {found.state} already." if voided else "Stripe voids it."
        effects = (
            f"{first} Then {found.attribution_id} is billed for {found.billing_period} again, from the usage, prices "
            "and windows as they are known now: the new invoice is finalized as any other."
        )
        button = "Bill again" if voided else self.button
        plan = Plan(f"Correct {found.key}", facts, effects)
        return Proposal(plan, button, page_of(found.key), "required", danger=True)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Void the invoice, and start the run of its account once its usage is billable again.

        What was interrupted after the void goes on with the run.
        """
        now = await find(at, given.subject)
        to, said = page_of(now.key), f"{now.key} is {now.state}."
        if not _is_billable_again(now):
            outcome = await super().carry_out(at, given)
            now, said = await find(at, given.subject), outcome.said
            if now.state not in DEAD:
                return ActResult(f"{said} Bill {now.attribution_id} again once it is voided.", to, "note")
        account, period = now.attribution_id, now.billing_period
        if datetime.now(UTC) < (end := BillingPeriod.parse(period).end(at.settings.zone)):
            return ActResult(f"{said} {account} is billed again by the run of {period}, which ends {when(end)}.", to)
        await record(at, given, DecisionKind.RUN_PERIOD, f"{period}/{account}")
        await start_period(at.temporal, period, account)
        return ActResult(f"{said} {account} is billed again now: its new invoice appears among its invoices.", to)


def _is_billable_again(found: InvoiceRecord) -> bool:
    return found.state in DEAD and not found.written_off
