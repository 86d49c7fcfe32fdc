"""Plans what is fetched before a bill."""

from __future__ import annotations

from datetime import datetime

from temporalio import activity

from activities.step import step
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from contracts.messages.sources import FetchPlan, PlanFetch, SourceDue
from contracts.names import Activities
from settings import Settings
from storage.accounts import policies
from storage.arrivals.fetching import load_due
from storage.postgres.database import Database


class FetchActivities:
    """Reads which sources are in use. Changes nothing."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    @activity.defn(name=Activities.PLAN_FETCH)
    async def plan_fetch(self, plan: PlanFetch) -> FetchPlan:
        """Return the sources, from when on each can be complete up to the cutoff, and from where to read them."""
        async with step():
            period, cutoff = self._bill(plan)
            since = period.start(self._settings.zone)
            if plan.draft_of is not None and not await self._charged_on_subscription(plan.draft_of):
                return FetchPlan(cutoff=cutoff, since=since, sources=[])
            due = await load_due(self._db)
            return FetchPlan(
                cutoff=cutoff,
                since=since,
                sources=[SourceDue(name=name, ready_at=cutoff + lag) for name, lag in due.lags.items()],
                pending=due.pending,
            )

    def _bill(self, plan: PlanFetch) -> tuple[BillingPeriod, datetime]:
        zone = self._settings.zone
        if plan.period is not None:
            period = BillingPeriod.parse(plan.period)
            return period, period.end(zone)
        assert plan.cutoff is not None
        return BillingPeriod.of_cutoff(plan.cutoff, zone), plan.cutoff

    async def _charged_on_subscription(self, attribution_id: str) -> bool:
        own = await policies.read_policy(self._db, attribution_id)
        return (own.charge_on or self._settings.charge_on) == ChargeOn.SUBSCRIPTION
