"""Accounts of which something waits because their customers lacked what Stripe needs for an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.accounts.customer import LACKING, CustomerNeeds
from billing.accounts.cycles import LONGEST_MONTH
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from storage.accounts.customers import AccountToAsk
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class WhoWaits:
    """Which accounts: all, one by its id, or that of a customer of Stripe's."""

    attribution_id: str | None = None
    stripe_customer_id: str | None = None


@dataclass(frozen=True)
class WaitingAccount:
    """An account that waited for its customer.

    `periods`: those in which a run left it out, in order. `subscriptions`: those whose cancellation waits. `drafts`:
    whether usage that goes on a subscription's drafts waits.
    """

    attribution_id: str
    stripe_customer_id: str
    periods: Sequence[str]
    subscriptions: Sequence[str]
    drafts: bool


async def waiting_to_ask(db: Database, which: WhoWaits, limit: int) -> list[AccountToAsk]:
    """Return accounts of which something waits, those whose customers were asked about longest ago first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/waiting", "to_ask"), {"reasons": list(LACKING), **_whose(which), "limit": limit}
        )
        return [record(AccountToAsk, row) for row in found]


async def resumable(
    db: Database,
    which: WhoWaits,
    needs: CustomerNeeds,
    last_ended: BillingPeriod,
    charge_on: ChargeOn,
    limit: int,
    *,
    with_drafts: bool = False,
) -> list[WaitingAccount]:
    """Return accounts of which something waits although their customers lack nothing now.

    Args:
        last_ended: the last period that can be run.
        charge_on: the deployment's, for accounts without their own.
        with_drafts: also accounts of which nothing waits but usage for a draft, which tries again by itself.
    """
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/waiting", "resumable"),
            {
                "reasons": list(LACKING),
                **_whose(which),
                "email": needs.email,
                "address": needs.address,
                "last_ended": str(last_ended),
                "charge_on": str(charge_on),
                "longest_month": LONGEST_MONTH,
                "with_drafts": with_drafts,
                "limit": limit,
            },
        )
        return [record(WaitingAccount, row) for row in found]


def _whose(which: WhoWaits) -> dict[str, str | None]:
    return {"attribution_id": which.attribution_id, "customer": which.stripe_customer_id}
