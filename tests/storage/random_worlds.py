"""Random worlds in the database: their accounts, their usage, their claims."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.invoice.key import InvoiceReason
from storage.claims.claims import ClaimScope
from storage.postgres.database import Database
from tests.storage.reference import JUNE, LAST, MAY, ReferenceWorld
from tests.storage.usage import AS_DEFAULT, add_account, add_instances, execute, instance


async def store_accounts(db: Database, world: ReferenceWorld) -> None:
    """Store the accounts with their windows, which are of Stripe subscriptions or of a file."""
    for account in world.accounts:
        name = account.attribution_id
        await add_account(db, name, currency=account.currency, bill_after=account.bill_after)
        await execute(db, "DELETE FROM subscription WHERE attribution_id = :id", id=name)
        for number, window in enumerate(account.windows):
            await execute(
                db,
                "INSERT INTO subscription (attribution_id, stripe_subscription_id, kind, currency, during) VALUES "
                "(:name, :sub, :kind, :currency, tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))",
                name=name,
                sub=world.rng.choice([None, f"sub_{name}_{number}"]),
                kind=window.kind,
                currency=window.currency,
                start=window.start,
                end=window.end,
            )


async def import_instances(db: Database, world: ReferenceWorld, count: int) -> None:
    rows = [
        instance(
            each.id,
            each.started,
            each.ended,
            line=line,
            attribution_id=each.attribution_id,
            workspace_class=each.workspace_class,
            creation_time=each.creation_time,
        )
        for line, each in enumerate(world.add_instances(count), 1)
    ]
    await add_instances(db, *rows)


def random_scope(world: ReferenceWorld, number: int, bill_after: datetime | None) -> ClaimScope:
    common: dict[str, Any] = {"bill_after": bill_after, "policy": AS_DEFAULT}
    chosen = world.rng.choice(["may", "june", "cancellation", "cancellation"])
    if chosen == "cancellation":
        cutoff = world.rng.choice(world.edges[1:])
        account = world.rng.choice(world.accounts)
        return ClaimScope(
            period="2022-05",
            reason=InvoiceReason.CANCELLATION,
            subject=f"sub_{number}",
            cutoff=cutoff,
            period_start=MAY,
            attribution_id=account.attribution_id,
            currency=world.rng.choice(sorted(account.currencies)),
            **common,
        )
    period, start, cutoff = ("2022-05", MAY, JUNE) if chosen == "may" else ("2022-06", JUNE, LAST)
    return ClaimScope(
        period=period,
        reason=InvoiceReason.PERIOD,
        subject="",
        cutoff=cutoff,
        period_start=start,
        **common,
    )
