"""What operators do with a period: run it, release it from a limit, bill it without a source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.periods import BillingPeriod
from billing.text import plural
from starter.acting.awaiting import approve_each, awaiting_plan
from starter.acting.periods import hold_plan, without_source_plan
from starter.acting.plans import Plan, totals
from starter.console.acting.action import ActionField, ActResult, Given, Proposal, record
from starter.console.services import ConsoleServices
from starter.words.times import when_and_ago
from storage.accounts import accounts, policies
from storage.accounts.policies import PeriodHold
from storage.decisions.trail import DecisionKind
from storage.invoices.awaiting import AwaitingInvoice, awaiting_of
from temporal.decisions import approve_period, go_without_source
from temporal.start import start_period

MOST_AT_ONCE = 200
"""How many invoices are approved at once."""


class RunPeriod:
    """Bill a period, or one account of it, or go over its accounts once more."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what a run bills."""
        period, account = await self._find(at, given)
        billed = await policies.period_totals(at.db, str(period), str(period))
        end = period.end(at.settings.zone)
        facts = [
            ("Period", f"{period}, ended {when_and_ago(end)}"),
            ("Account", account or "all"),
            ("So far", totals((each.currency, each.amount) for each in billed)),
        ]
        effects = (
            "Bills what is not billed yet: invoices are finalized and charged, unless one waits for a person. What is "
            "billed already stays."
        )
        fields = [ActionField("account", kind="hidden", value=account)] if account else []
        action = f"Run {period}" + (f" for {account}" if account else "")
        return Proposal(Plan(action, facts, effects), action, f"/periods/{period}", fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Start the period's workflow."""
        period, account = await self._find(at, given)
        await record(at, given, DecisionKind.RUN_PERIOD, f"{period}/{account}" if account else str(period))
        await start_period(at.temporal, str(period), account)
        said = f"{period} is run by {given.by}. It is under way: this page shows how it goes on."
        return ActResult(said, f"/periods/{period}", "note")

    async def _find(self, at: ConsoleServices, given: Given) -> tuple[BillingPeriod, str | None]:
        period, account = BillingPeriod.parse(given.subject), given.text("account") or None
        if datetime.now(UTC) < (end := period.end(at.settings.zone)):
            raise InputError(f"{period} does not end until {when_and_ago(end)}")
        if account is not None and await accounts.get_account(at.db, parse_attribution_id(account)) is None:
            raise InputError(f"there is no account {account}")
        return period, account


class ReleasePeriod:
    """Release a period that a limit holds, at the totals that the person has seen."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what is released."""
        period, hold = await self._find(at, given)
        plan = await hold_plan(at.db, period, hold)
        seen = ActionField("seen", kind="hidden", value=_shown(hold))
        return Proposal(plan, "Approve the period", f"/periods/{period}", "required", fields=[seen])

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have the period's workflow record it."""
        period, hold = await self._find(at, given)
        if given.text("seen") != _shown(hold):
            raise InputError(f"the totals of {period} have changed: check them again")
        await approve_period(at.temporal, period, hold.totals, given.by, given.reason, given.place)
        shown = totals(hold.totals.items())
        return ActResult(f"{period} is approved at {shown} by {given.by}. Its run bills it now.", f"/periods/{period}")

    async def _find(self, at: ConsoleServices, given: Given) -> tuple[str, PeriodHold]:
        period = str(BillingPeriod.parse(given.subject))
        hold = await policies.read_hold(at.db, period)
        if hold is None or hold.reason is None:
            raise InputError(f"{period} is not held by a limit: there is nothing to approve")
        return period, hold


class ApproveAll:
    """Approve all invoices of a period that wait for it, at the amounts that the person has seen.

    The first ones if they are many: as many as are approved while a browser waits.
    """

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return which invoices are approved, each with the month before."""
        period, waiting = await self._find(at, given)
        seen = ActionField("seen", kind="hidden", value=_digest(waiting))
        plan = awaiting_plan(period, waiting)
        if more := waiting[0].waits - len(waiting):
            waits = "waits: approve it" if more == 1 else "wait: approve them"
            effects = f"{plan.effects} {plural(more, 'more invoice')} of {period} {waits} next."
            plan = replace(plan, effects=effects)
        return Proposal(plan, plan.action, f"/periods/{period}", "required", fields=[seen])

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have each invoice's workflow record its approval."""
        period, waiting = await self._find(at, given)
        if given.text("seen") != _digest(waiting):
            raise InputError(f"other invoices of {period} wait now, or other amounts: check them again")
        refused = await approve_each(at.temporal, waiting, given.by, given.reason, given.place)
        said = f"{plural(len(waiting) - len(refused), 'invoice')} of {period} approved by {given.by}."
        if more := waiting[0].waits - len(waiting):
            said = f"{said} {more:,} more {'waits' if more == 1 else 'wait'}."
        if not refused:
            return ActResult(said, f"/periods/{period}")
        key, why = next(iter(refused.items()))
        return ActResult(f"{said} {len(refused)} refused, such as {key}: {why}", f"/periods/{period}", "bad")

    async def _find(self, at: ConsoleServices, given: Given) -> tuple[BillingPeriod, list[AwaitingInvoice]]:
        period = BillingPeriod.parse(given.subject)
        if waiting := await awaiting_of(at.db, period, MOST_AT_ONCE):
            return period, waiting
        raise InputError(f"no invoice of {period} waits for an approval")


class WithoutSource:
    """Have a period's run go on without a source that it waits for."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return what the run bills then."""
        del at
        period, source, account = self._named(given)
        fields = [ActionField("source", kind="hidden", value=source)]
        if account:
            fields.append(ActionField("account", kind="hidden", value=account))
        plan = without_source_plan(source, period, account)
        return Proposal(plan, f"Bill without {source}", f"/periods/{period}", "required", fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have the period's workflow go on."""
        period, source, account = self._named(given)
        await record(at, given, DecisionKind.WITHOUT_SOURCE, period, f"{source}: {given.reason}")
        await go_without_source(at.temporal, period, account, source, given.by)
        said = f"{period} is billed without {source}, says {given.by}. Its run goes on now."
        return ActResult(said, f"/periods/{period}")

    def _named(self, given: Given) -> tuple[str, str, str | None]:
        return str(BillingPeriod.parse(given.subject)), given.need("source"), given.text("account") or None


def _digest(waiting: Sequence[AwaitingInvoice]) -> str:
    """Return a short text that differs if other invoices wait, or other amounts."""
    return hashlib.sha256(repr([(each.key, each.amount) for each in waiting]).encode()).hexdigest()[:32]


def _shown(hold: PeriodHold) -> str:
    return totals(sorted(hold.totals.items()))
