"""Billing periods in Postgres: plans, claims of single accounts, progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.periods.service import (
    charge_on,
    cycle_of_draft,
    service_start,
    start_of_last_cycle,
    why_nothing,
)
from activities.postgres.scopes import claim_scope, needs_of
from activities.rate_cards import RateCards
from activities.step import step
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from contracts.messages.periods import (
    ApprovePeriod,
    Blocked,
    CustomersPlan,
    Page,
    PagePlan,
    PeriodProgress,
    PeriodRef,
    PeriodResult,
    PlanPages,
)
from contracts.messages.subscriptions import CancellationClaimed, ClaimCancellation, SubscriptionDraft
from contracts.names import Activities
from settings import Settings
from storage.accounts import accounts, policies
from storage.accounts.customers import AccountsToAsk, accounts_to_ask
from storage.accounts.subscriptions import set_currency
from storage.claims import claims
from storage.invoices import invoices
from storage.periods import periods
from storage.postgres.database import Database

_COUNTED = 1000
"""The most customers that are counted, of those to ask about: from some hundreds on, all are listed."""


class PeriodActivities:
    """Plans pages, claims the usage of single accounts, counts invoices. Idempotent."""

    def __init__(self, db: Database, cards: RateCards, settings: Settings, limits: PeriodLimits) -> None:
        self._db = db
        self._cards = cards
        self._settings = settings
        self._limits = limits

    @activity.defn(name=Activities.PLAN_PAGES)
    async def plan_pages(self, plan: PlanPages) -> PagePlan:
        """Return the next pages of accounts, or why the period is held.

        Raises:
            ApplicationError: the period has not ended; Temporal retries when it has.
        """
        async with step():
            end = BillingPeriod.parse(plan.period).end(self._settings.zone)
            early = end - datetime.now(UTC)
            if early > timedelta(0):
                # Retried at the period's end: a schedule that fires early must not lose the month.
                raise ApplicationError(
                    f"{plan.period} has not ended: it is billed after {end.isoformat()}",
                    type="PeriodNotEnded",
                    next_retry_delay=early,
                )
            if (
                plan.after == ""
                and plan.attribution_id is None
                and (held := await self._limits.held(plan.period, await self._cards.current()))
            ):
                return PagePlan(pages=[], more=False, held=held)
            asking = await self._plan_customers(plan)
            if plan.attribution_id is not None:
                page = Page(after="", through=plan.attribution_id)
                return PagePlan(pages=[page], more=False, customers=asking)
            bounds = await periods.page_bounds(self._db, plan.after, self._settings.page_size, plan.most)
            pages = [Page(after=after, through=through) for after, through in bounds]
            return PagePlan(pages=pages, more=len(pages) == plan.most, customers=asking)

    async def _plan_customers(self, plan: PlanPages) -> CustomersPlan | None:
        """Return what Stripe is to be asked about customers. None if no setting needs anything of them."""
        needs = needs_of(self._settings)
        if not needs:
            return None
        which = AccountsToAsk(datetime.now(UTC), after=plan.after, attribution_id=plan.attribution_id)
        found = await accounts_to_ask(self._db, which, needs, _COUNTED) if plan.after == "" else []
        return CustomersPlan(to_ask=len(found), location=needs.address)

    @activity.defn(name=Activities.APPROVE_PERIOD)
    async def approve(self, approval: ApprovePeriod) -> PeriodRef:
        """Release a held period, at the totals that a person has seen.

        Raises:
            ApplicationError: non-retryable if the period is not held, or its totals are different now.
        """
        async with step():
            await policies.approve_period(
                self._db, approval.period, approval.totals, approval.by, approval.reason, approval.place
            )
            return PeriodRef(period=approval.period)

    @activity.defn(name=Activities.CLAIM_CANCELLATION)
    async def claim_cancellation(self, cancelled: ClaimCancellation) -> CancellationClaimed:
        """Claim an account's usage up to its cancellation, as an invoice of the period that contains the cutoff.

        Usage of windows in another currency than the subscription's waits for the period's run.
        """
        async with step():
            period = BillingPeriod.of_cutoff(cancelled.cutoff, self._settings.zone)
            account, subscription = cancelled.attribution_id, cancelled.stripe_subscription_id
            cutoff = cancelled.cutoff
            subject = subscription + ("-paused" if cancelled.paused else "")
            scope = claim_scope(
                self._settings,
                period,
                InvoiceReason.CANCELLATION,
                subject,
                cutoff=cutoff,
                service_start=await start_of_last_cycle(self._db, self._settings, account, subscription, cutoff),
                attribution_id=account,
                currency=await accounts.currency_of(self._db, account, subscription),
                makes_invoices=True,
            )
            claimed = await claims.claim_page(self._db, scope, await self._cards.current())
            if claimed.keys:
                note = " ".join((f"Final claim: {claimed.keys[0]}.", *_remarks(claimed)))
                return CancellationClaimed(invoice_key=claimed.keys[0], note=note)
            open_keys = await invoices.unsettled_keys(self._db, str(period), "", None, cancelled.attribution_id)
            own = InvoiceKey(str(period), cancelled.attribution_id, InvoiceReason.CANCELLATION, subject)
            for key in open_keys:
                if InvoiceKey.parse(key).first == own:
                    return CancellationClaimed(invoice_key=key, note=f"Final claim: {key}.")
            if claimed.blocked:
                return CancellationClaimed(
                    invoice_key=None,
                    note=f"**Blocked**: `perdure period status {period}` says why. Fix the cause, then "
                    f"`perdure period run {period}` bills the usage.",
                    customer_lacks="; ".join(claimed.lacking),
                )
            note = "No unbilled usage up to the cancellation, or less than the minimum charge."
            return CancellationClaimed(invoice_key=None, note=note)

    @activity.defn(name=Activities.CLAIM_SUBSCRIPTION_DRAFT)
    async def claim_subscription_draft(self, draft: SubscriptionDraft) -> CancellationClaimed:
        """Claim an account's usage for the draft that Stripe made for its subscription.

        Claims nothing if the account is charged on invoices of its own, nothing for a cycle that is longer than about
        a month, except on the last draft, and nothing twice for the same draft. The subscription's windows get the
        draft's currency first: usage of another one is not put on it.
        """
        async with step():
            if await charge_on(self._db, self._settings, draft.attribution_id) is not ChargeOn.SUBSCRIPTION:
                return CancellationClaimed(invoice_key=None, note="The account is charged on invoices of its own.")
            known = await invoices.key_of_stripe_invoice(self._db, draft.stripe_invoice_id)
            if known is not None:
                return CancellationClaimed(invoice_key=known, note=f"{draft.stripe_invoice_id} carries {known}.")
            cycle = await cycle_of_draft(self._db, draft)
            if cycle is not None and cycle.is_long and draft.cycle_start is not None:
                note = f"No usage on {draft.stripe_invoice_id}: its cycle is long, so each month's run bills the usage."
                return CancellationClaimed(invoice_key=None, note=note)
            if draft.currency is not None and draft.stripe_subscription_id is not None:
                await set_currency(self._db, draft.attribution_id, draft.stripe_subscription_id, draft.currency)
            period = BillingPeriod.of_cutoff(draft.cutoff, self._settings.zone)
            scope = claim_scope(
                self._settings,
                period,
                InvoiceReason.SUBSCRIPTION,
                draft.stripe_invoice_id,
                cutoff=draft.cutoff,
                service_start=service_start(cycle),
                attribution_id=draft.attribution_id,
                currency=draft.currency or await accounts.currency_of(self._db, draft.attribution_id),
                stripe_invoice_id=draft.stripe_invoice_id,
                makes_invoices=True,
            )
            claimed = await claims.claim_page(self._db, scope, await self._cards.current())
            if claimed.keys:
                key = claimed.keys[0]
                note = " ".join((f"{draft.stripe_invoice_id} carries {key}.", *_remarks(claimed)))
                return CancellationClaimed(invoice_key=key, note=note)
            note = await why_nothing(self._db, draft, str(period), waits=claimed.blocked > 0)
            return CancellationClaimed(invoice_key=None, note=note, customer_lacks="; ".join(claimed.lacking))

    @activity.defn(name=Activities.PERIOD_PROGRESS)
    async def progress(self, ref: PeriodRef) -> PeriodProgress:
        """Return counts and totals of the period's invoices by state."""
        found = await periods.period_progress(self._db, ref.period, ref.attribution_id)
        return PeriodProgress(
            counts=found.counts,
            totals=found.totals,
            open=found.open,
            blocked=found.blocked_count,
            below_minimum=found.below_minimum,
            blocked_accounts=found.blocked_accounts,
            waiting=[Blocked(subject=b.subject, reason=b.reason, since=b.since) for b in found.blocked],
            oldest_open_since=found.oldest_open_since,
        )

    @activity.defn(name=Activities.WRITE_PERIOD_SUMMARY)
    async def write_summary(self, result: PeriodResult) -> PeriodResult:
        """Store the period's result in Postgres."""
        await periods.write_summary(self._db, result.period, result.model_dump(mode="json"))
        return result


def _remarks(claimed: claims.PageResult) -> list[str]:
    kept_back = [f"**Kept back**: {reason}." for reason in claimed.kept_back]
    return kept_back + [f"**Check it**: {caution}." for caution in claimed.cautions]
