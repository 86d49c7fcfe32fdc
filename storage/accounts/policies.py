"""Policies of single accounts, and the hold of a whole period, in Postgres."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from billing.errors import PermanentError
from billing.invoice.policy import AccountPolicy
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


class UnknownAccountError(PermanentError):
    """Postgres does not know this account."""


class NotHeldError(PermanentError):
    """The period does not wait for an approval, or its figures have changed meanwhile."""


@dataclass(frozen=True)
class PeriodHold:
    """A period that a brake stops, or once stopped. `totals`, `approved`: minor units by currency.

    `reason` is none when nothing is to be approved.
    """

    reason: str | None
    since: datetime | None
    totals: dict[str, int]
    approved: dict[str, int]
    approved_at: datetime | None
    approved_by: str | None


@dataclass(frozen=True)
class CurrencyTotal:
    """What a period has on its live invoices, and what the period before it had. Minor units."""

    currency: str
    amount: int
    previous: int | None


async def read_policy(db: Database, attribution_id: str) -> AccountPolicy:
    """What the account has of its own."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/policies", "read"), {"attribution_id": attribution_id})
        row = found.one_or_none()
    return AccountPolicy() if row is None else record(AccountPolicy, row)


async def write_policy(db: Database, attribution_id: str, policy: AccountPolicy) -> None:
    """Set all of an account's own policies.

    Raises:
        UnknownAccountError: there is no such account.
    """
    try:
        async with db.transaction() as connection:
            await connection.execute(
                statement("accounts/policies", "write"),
                {
                    "attribution_id": attribution_id,
                    "charge_on": str(policy.charge_on) if policy.charge_on else None,
                    "finalization": str(policy.finalization) if policy.finalization else None,
                    "limit_amount": policy.limit_amount,
                    "limit_multiple": policy.limit_multiple,
                    "limit_carried_share": policy.limit_carried_share,
                    "included_credits": policy.included_credits,
                },
            )
    except IntegrityError as error:
        raise UnknownAccountError(f"no account {attribution_id}") from error


async def period_totals(db: Database, period: str, previous: str) -> list[CurrencyTotal]:
    """The period's live invoices by currency, beside those of the one before."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("accounts/policies", "period_totals"), {"period": period, "previous": previous}
        )
        return [CurrencyTotal(**row) for row in rows.mappings()]


async def read_hold(db: Database, period: str) -> PeriodHold | None:
    """What a brake says of the period; none when it never stopped it."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/policies", "read_hold"), {"period": period})
        row = found.mappings().one_or_none()
    return None if row is None else _hold(row)


async def hold_period(db: Database, period: str, reason: str | None, totals: dict[str, int]) -> None:
    """Stop a period, or with no reason let it go. It keeps since when it is stopped."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/policies", "hold"), {"period": period, "reason": reason, "totals": json.dumps(totals)}
        )


async def approve_period(db: Database, period: str, totals: dict[str, int], by: str) -> None:
    """Approve a period that is held, at these totals, in minor units by currency. Again is nothing new.

    Raises:
        NotHeldError: it is not held, or its totals are others by now.
    """
    async with db.transaction() as connection:
        found = await connection.execute(statement("accounts/policies", "lock_hold"), {"period": period})
        row = found.mappings().one_or_none()
        hold = _hold(row) if row is not None else None
        if hold is not None and hold.reason is None and hold.approved == totals:
            return
        if hold is None or hold.reason is None:
            raise NotHeldError(f"{period} does not wait for an approval")
        if hold.totals != totals:
            raise NotHeldError(f"the totals of {period} have changed: look at `perdure period status {period}` again")
        await connection.execute(
            statement("accounts/policies", "approve"), {"period": period, "by": by, "approved": json.dumps(totals)}
        )


def _hold(row: Mapping[Any, Any]) -> PeriodHold:
    return PeriodHold(**{**row, "totals": json.loads(row["totals"]), "approved": json.loads(row["approved"] or "{}")})
