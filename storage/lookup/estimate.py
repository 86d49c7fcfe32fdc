"""What an account's usage would cost if it were billed now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from billing.assessment.assessment import Assessment, ClaimScope
from billing.invoice.key import InvoiceReason
from billing.pricing.rating import RateCard
from storage.claims.claims import preview_page
from storage.lookup.account import AccountView, KnownCycle
from storage.postgres.database import Database

_NO_INVOICE = "estimate"  # stands for the id of the Stripe invoice that a cycle's usage will be on


async def estimate(db: Database, view: AccountView, scope: ClaimScope, card: RateCard) -> list[Assessment]:
    """Return what the account's next invoices would be if they were made now, one for each currency with usage.

    Usage that its subscription bills is priced as at the end of the present cycle. Nothing is changed, and later usage
    and credits can change the amount.

    Args:
        db: the database.
        view: the account.
        scope: the present period up to now, of this account alone.
        card: the rate card.
    """
    found = await preview_page(db, scope, card)
    for run in view.standing.runs:
        if run.by_subscription:
            cycle = present_cycle(view, run.currency, scope)
            of_cycle = replace(
                scope,
                reason=InvoiceReason.SUBSCRIPTION,
                subject=_NO_INVOICE,
                currency=run.currency,
                period_start=cycle.start if cycle else scope.period_start,
            )
            found += await preview_page(db, of_cycle, card)
    return found


def present_cycle(view: AccountView, currency: str, scope: ClaimScope) -> KnownCycle | None:
    """Return the cycle in which the scope ends, of a subscription in this currency. None if none is known."""
    own = {each.stripe_subscription_id for each in view.standing.windows if each.currency == currency}
    return next((each for each in _known(view.cycles, own) if each.start < scope.cutoff <= each.end), None)


def _known(cycles: Sequence[KnownCycle], subscriptions: set[str | None]) -> list[KnownCycle]:
    return [each for each in cycles if each.stripe_subscription_id in subscriptions]
