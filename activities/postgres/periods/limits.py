"""Decides whether a whole period must wait for a person before any of it is claimed."""

from __future__ import annotations

from activities.postgres.scopes import claim_scope, period_limits
from billing.assessment.assessment import Verdict
from billing.invoice.limits import BillFigures
from billing.periods import BillingPeriod
from billing.pricing.rating import RateCard
from settings import Settings
from storage.accounts import policies
from storage.claims import claims
from storage.periods import periods
from storage.postgres.database import Database

_PAGES = 20


class PeriodLimits:
    """Compares a period's totals, computed as in a dry run, with the period's limits."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    async def held(self, period: str, rate_card: RateCard) -> str | None:
        """Hold the period if a limit says so. Returns the reason, or None if it need not wait or is approved."""
        if not period_limits(self._settings):
            return None
        hold = await policies.read_hold(self._db, period)
        totals, carried, previous = await self._weigh(BillingPeriod.parse(period), rate_card)
        reason = self._exceeded(totals, carried, previous, hold)
        if reason is not None or hold is not None:
            await policies.hold_period(self._db, period, reason, totals)
        return reason

    async def weigh(self, period: BillingPeriod, rate_card: RateCard) -> str | None:
        """Return what `held` would return now; change nothing."""
        if not period_limits(self._settings):
            return None
        return self._exceeded(*await self._weigh(period, rate_card), await policies.read_hold(self._db, str(period)))

    def _exceeded(
        self,
        totals: dict[str, int],
        carried: dict[str, int],
        previous: dict[str, int],
        hold: policies.PeriodHold | None,
    ) -> str | None:
        limits = period_limits(self._settings)
        approved = hold.approved if hold else {}
        reasons = [
            limits.exceeded(
                BillFigures(
                    f"the period in {currency.upper()}",
                    currency,
                    amount,
                    carried=carried.get(currency, 0),
                    previous=previous.get(currency),
                )
            )
            for currency, amount in sorted(totals.items())
            if amount > approved.get(currency, -1)
        ]
        return "; ".join(filter(None, reasons)) or None

    async def _weigh(
        self, period: BillingPeriod, rate_card: RateCard
    ) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Add up live invoices and those that a run would make, by currency.

        Returns totals, usage carried over by the invoices that a run would make, and the totals of the period before.
        """
        zone = self._settings.zone
        before = BillingPeriod.of_cutoff(period.start(zone), zone)
        found = await policies.period_totals(self._db, str(period), str(before))
        totals = {row.currency: row.amount for row in found}
        previous = {row.currency: row.previous for row in found if row.previous is not None}
        carried: dict[str, int] = {}
        after = ""
        while bounds := await periods.page_bounds(self._db, after, self._settings.page_size, _PAGES):
            for low, through in bounds:
                # A customer can have by the time of the claims what it lacks now: what it would be billed counts.
                scope = claim_scope(self._settings, period, after=low, through=through)
                for preview in await claims.preview_page(self._db, scope, rate_card):
                    if preview.verdict == Verdict.INVOICE:
                        currency = preview.priced.currency
                        totals[currency] = totals.get(currency, 0) + preview.priced.amount
                        carried[currency] = carried.get(currency, 0) + preview.counted_amount
                after = through
        return totals, carried, previous
