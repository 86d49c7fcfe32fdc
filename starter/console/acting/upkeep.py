"""What operators do besides: accept or withdraw a warning, read a source, run an audit, read Stripe's events."""

from __future__ import annotations

from datetime import timedelta

from billing.errors import InputError
from billing.periods import BillingPeriod
from billing.usage.warnings import WarningKind
from contracts.deciding import DecideWarning
from contracts.messages.sources import SourceInput, SyncSource
from starter.acting.plans import Plan
from starter.console.acting.action import ActionField, ActResult, Given, Proposal, record
from starter.console.services import ConsoleServices
from starter.words.times import when_and_ago
from storage.arrivals.sources import SourceState, UnknownSourceError, load_source
from storage.decisions.trail import DecisionKind
from storage.warnings.accepted import is_accepted
from temporal import asking
from temporal.sources import request_sync
from temporal.start import start_audit, start_catch_up

_PATIENCE = timedelta(seconds=10)


class DecideOnWarning:
    """Accept a warning, which is then no longer reported, or withdraw that."""

    def __init__(self, *, withdraw: bool) -> None:
        self._withdraw = withdraw

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is reported then."""
        del at
        kind = given.need("kind")
        verb = "Report" if self._withdraw else "Accept"
        effects = "It is reported again." if self._withdraw else "It is no longer reported, now or later."
        plan = Plan(f"{verb} {kind} {given.subject}", [("Kind", kind), ("Subject", given.subject)], effects)
        button = "Report it again" if self._withdraw else "Accept the warning"
        fields = [ActionField("kind", kind="hidden", value=kind)]
        return Proposal(plan, button, "/waiting", "optional" if self._withdraw else "required", fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have the billing worker record it."""
        kind, subject = given.need("kind"), given.subject
        order = DecideWarning(kind=kind, subject=subject, by=given.by, reason=given.reason, place=given.place)
        if not self._withdraw:
            await asking.accept_warning(at.temporal, order)
            return ActResult(f"{kind} {subject} is accepted by {given.by}.", "/waiting")
        if kind not in list(WarningKind) or not await is_accepted(at.db, WarningKind(kind), subject):
            raise InputError(f"{kind} {subject} is not accepted: there is nothing to withdraw")
        await asking.withdraw_warning(at.temporal, order)
        return ActResult(f"{kind} {subject} is reported again.", "/waiting")


class Sync:
    """Read a source now."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is read."""
        source = await self._find(at, given)
        facts = [("Complete up to", when_and_ago(source.complete_up_to)), ("Last read", when_and_ago(source.read_at))]
        effects = "It is read now, and what it reports is stored. Nobody is charged."
        return Proposal(Plan(f"Read {source.name}", facts, effects), "Read it now", "/sources")

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Ask the source's workflow for a read."""
        source = await self._find(at, given)
        await record(at, given, DecisionKind.SYNC, source.name)
        ask = SyncSource(name=source.name, by=given.by)
        start = SourceInput(name=source.name, every=source.every)
        await request_sync(at.temporal, start, ask, f"console/{given.request}", _PATIENCE)
        return ActResult(f"{source.name} is being read. This page shows how it goes on.", "/sources", "note")

    async def _find(self, at: ConsoleServices, given: Given) -> SourceState:
        try:
            source = await load_source(at.db, given.subject)
        except UnknownSourceError as error:
            raise InputError(str(error)) from error
        if source.removed_at is not None:
            raise InputError(f"source {source.name} was removed")
        return source


class AuditNow:
    """Audit the books of a period, or of everything."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is compared."""
        del at
        period = self._period(given)
        effects = "Compares Postgres, the usage reports and Stripe. Nothing is changed, and nobody is charged."
        fields = [ActionField("subject", kind="hidden", value=period)] if period else []
        return Proposal(Plan(f"Audit {period or 'everything'}", [], effects), "Run the audit", "/audit", fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Start the audit's workflow, or join the running one."""
        period = self._period(given)
        await record(at, given, DecisionKind.AUDIT, period or "everything")
        await start_audit(at.temporal, period, None, None)
        return ActResult("The audit is under way: this page shows its result.", "/audit", "note")

    def _period(self, given: Given) -> str | None:
        subject = given.text("subject")
        return str(BillingPeriod.parse(subject)) if subject else None


class CatchUp:
    """Read Stripe's events, for those that the webhook missed."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is read."""
        del at, given
        effects = "Reads Stripe's events since the last catch-up, and wakes what they concern. Nobody is charged by it."
        return Proposal(Plan("Read Stripe's events", [], effects), "Read them now", "/webhook")

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Start the catch-up, or join the running one."""
        await record(at, given, DecisionKind.CATCH_UP, "stripe events")
        await start_catch_up(at.temporal)
        return ActResult("Stripe's events are being read. This page shows how far.", "/webhook", "note")
