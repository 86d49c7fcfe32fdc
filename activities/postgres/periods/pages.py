"""Claims a page of accounts, and publishes the reports of its invoices."""

from __future__ import annotations

from temporalio import activity

from activities.postgres.scopes import claim_scope
from activities.rate_cards import RateCards
from activities.step import step
from billing.periods import BillingPeriod
from billing.pricing.fitting import misfit
from contracts.messages.periods import BatchInput, PageClaimed
from contracts.names import Activities
from settings import Settings
from storage.claims import claims
from storage.claims.amendment import amendable_keys
from storage.invoices import invoices
from storage.invoices.records import without_report
from storage.postgres.database import Database
from storage.reports.publishing import publish_reports
from storage.reports.store import ReportStore


class PageActivities:
    """Claims a page's usage and publishes its reports. Idempotent."""

    def __init__(self, db: Database, reports: ReportStore, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._reports = reports
        self._cards = cards
        self._settings = settings

    @activity.defn(name=Activities.CLAIM_PAGE)
    async def claim_page(self, batch: BatchInput) -> PageClaimed:
        """Claim the page's usage in one transaction and publish its reports; return all invoices that are not settled.

        What is claimed stays claimed while the report store is away: the next attempt publishes.
        """
        async with step():
            page = batch.page
            scope = claim_scope(
                self._settings,
                BillingPeriod.parse(batch.period),
                after=page.after,
                through=page.through,
                attribution_id=batch.attribution_id,
                makes_invoices=True,
            )
            claimed = await claims.claim_page(self._db, scope, await self._cards.current())
            keys = await invoices.unsettled_keys(self._db, batch.period, page.after, page.through, batch.attribution_id)
            await self._publish(keys)
            return PageClaimed(
                made=len(claimed.keys),
                below_minimum=claimed.below_minimum,
                blocked=claimed.blocked,
                invoice_keys=keys,
                amendable=await amendable_keys(self._db, batch.period, page.after, page.through, batch.attribution_id),
            )

    async def _publish(self, keys: list[str]) -> None:
        """Publish the reports of these invoices that have none, apart from amounts that Stripe cannot charge."""
        waiting = await without_report(self._db, keys)
        sound = [each for each in waiting if misfit([line.rated for line in each.lines], each.currency) is None]
        await publish_reports(self._db, self._reports, sound)
