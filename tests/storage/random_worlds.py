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
    for account in world.accounts:
        await add_account(
            db,
            account.attribution_id,
            *account.windows,
            currency=account.currency,
            bill_after=account.bill_after,
        )
        if not account.windows:
            await execute(db, "DELETE FROM subscription WHERE attribution_id = :id", id=account.attribution_id)


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
        return ClaimScope(
            period="2022-05",
            reason=InvoiceReason.CANCELLATION,
            subject=f"sub_{number}",
            cutoff=cutoff,
            period_start=MAY,
            attribution_id=world.rng.choice(world.accounts).attribution_id,
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
