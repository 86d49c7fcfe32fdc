"""Misbilled usage: time whose claim and segment disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.pricing.rating import DEFAULT_CLASS
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class MisbilledUsage:
    """Usage of one instance, in microseconds, that a live invoice bills otherwise than it ran, and why.

    Each instant has one reason, the first that applies: `outside_windows` (of the account, in the invoice's currency),
    `trial` or `collection_paused` (in a window that is not charged), `outside_runtime` (of the instance),
    `other_account`, `other_class`, `other_quantity`.
    """

    instance_id: str
    attribution_id: str
    invoice_key: str
    reason: str
    duration_us: int


async def misbilled_usage(
    db: Database,
    *,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
    period: str | None = None,
    accounts: Sequence[str] | None = None,
) -> list[MisbilledUsage]:
    """Return the misbilled usage on live invoices, of this period or these accounts.

    `charged_kinds` is the deployment's. The other functions do not judge whether a window is charged.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        given = {
            "period": period,
            "accounts": None if accounts is None else list(accounts),
            "charged_kinds": sorted(charged_kinds),
        }
        return await _read(connection, "of_invoices", given)


async def misbilled_accounts(connection: AsyncConnection, accounts: Sequence[str]) -> list[MisbilledUsage]:
    """Return the misbilled usage on live invoices of these accounts, within the caller's transaction."""
    return await _read(connection, "of_invoices", {"period": None, "accounts": list(accounts)})


async def misbilled_instances(connection: AsyncConnection, instances: Sequence[str]) -> list[MisbilledUsage]:
    """Return the misbilled usage of these instances, within the caller's transaction."""
    return await _read(connection, "of_instances", {"instances": list(instances)}) if instances else []


async def _read(connection: AsyncConnection, name: str, given: dict[str, Any]) -> list[MisbilledUsage]:
    parameters = {"charged_kinds": None, **given, "default_class": DEFAULT_CLASS}
    rows = await connection.execute(statement("usage/misbilled", name), parameters)
    return [MisbilledUsage(**row) for row in rows.mappings()]
