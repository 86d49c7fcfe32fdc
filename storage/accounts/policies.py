"""Account policies and period holds in Postgres."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.decided import HERE, DecidedFrom
from billing.errors import InputError, PermanentError, UnknownNameError
from billing.invoice.policy import AccountPolicy
from billing.invoice.policy_changes import changed_policy, changed_since, in_words
from storage.decisions.trail import DecisionKind, record_decision
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


class UnknownAccountError(PermanentError, UnknownNameError):
    """Postgres does not know this account."""


class NotHeldError(PermanentError):
    """The period is not waiting for an approval, or its totals have changed."""


@dataclass(frozen=True)
class PeriodHold:
    """A hold that a limit has placed on a period. `totals`, `approved`: minor units by currency.

    `reason` is None if the period is not held any more.
    """

    reason: str | None
    since: datetime | None
    totals: dict[str, int]
    approved: dict[str, int]
    approved_at: datetime | None
    approved_by: str | None


@dataclass(frozen=True)
class CurrencyTotal:
    """The total of a period's live invoices, and that of the period before it, in minor units.

    `previous` is None if the period before has no live invoice in this currency.
    """

    currency: str
    amount: int
    previous: int | None


async def read_policy(db: Database, attribution_id: str) -> AccountPolicy:
    """Return the account's own policy; settings that it does not override are None."""
    async with db.transaction(read_only=True) as connection:
        return await _read(connection, attribution_id)


async def change_policy(
    db: Database,
    attribution_id: str,
    changes: Mapping[str, str],
    *,
    seen: Mapping[str, str] = MappingProxyType({}),
    by: str,
    reason: str = "",
    place: DecidedFrom = HERE,
) -> bool:
    """Change an account's own policy, as `changed_policy`, and record who did. Returns whether anything is different.

    `seen`: settings as the person has seen them, as `as_written`.

    Raises:
        UnknownAccountError: the account is unknown.
        InputError: a value is malformed, or a setting is no longer what was seen. Nothing was changed.
    """
    async with db.transaction() as connection:
        locked = await connection.execute(statement("accounts/policies", "lock"), {"attribution_id": attribution_id})
        currency = locked.scalar_one_or_none()
        if currency is None:
            raise UnknownAccountError(
                f"there is no account {attribution_id}: create it with `perdure accounts import` or `accounts sync`"
            )
        before = await _read(connection, attribution_id)
        after = changed_policy(before, changes, currency)
        if after == before:
            return False
        if different := changed_since(before, seen, currency):
            raise InputError(
                f"the policy of {attribution_id} has changed since to {in_words(different)}: check it again"
            )
        await _write(connection, attribution_id, after)
        why = in_words(changes) + (f": {reason}" if reason else "")
        await record_decision(connection, DecisionKind.POLICY, attribution_id, by=by, reason=why, place=place)
        return True


async def write_policy(db: Database, attribution_id: str, policy: AccountPolicy) -> None:
    """Replace an account's own policy.

    Raises:
        UnknownAccountError: the account is unknown.
    """
    try:
        async with db.transaction() as connection:
            await _write(connection, attribution_id, policy)
    except IntegrityError as error:
        raise UnknownAccountError(f"no account {attribution_id}") from error


async def _read(connection: AsyncConnection, attribution_id: str) -> AccountPolicy:
    found = await connection.execute(statement("accounts/policies", "read"), {"attribution_id": attribution_id})
    row = found.one_or_none()
    return AccountPolicy() if row is None else record(AccountPolicy, row, limits_off=frozenset(row.limits_off))


async def _write(connection: AsyncConnection, attribution_id: str, policy: AccountPolicy) -> None:
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
            "limits_off": sorted(policy.limits_off),
            "trial_usage": str(policy.trial_usage) if policy.trial_usage else None,
            "paused_usage": str(policy.paused_usage) if policy.paused_usage else None,
        },
    )


async def period_totals(db: Database, period: str, previous: str) -> list[CurrencyTotal]:
    """Return the totals of the period's live invoices by currency, with those of the period before."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("accounts/policies", "period_totals"), {"period": period, "previous": previous}
        )
        return [
            CurrencyTotal(row.currency, int(row.amount), None if row.previous is None else int(row.previous))
            for row in rows
        ]


async def read_hold(db: Database, period: str) -> PeriodHold | None:
    """Return the period's hold. None if it was never held."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("accounts/policies", "read_hold"), {"period": period})
        row = found.mappings().one_or_none()
    return None if row is None else _hold(row)


async def hold_period(db: Database, period: str, reason: str | None, totals: dict[str, int]) -> None:
    """Hold a period, or release it if `reason` is None. A period that is already held keeps the start of its hold."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("accounts/policies", "hold"), {"period": period, "reason": reason, "totals": json.dumps(totals)}
        )


async def approve_period(
    db: Database, period: str, totals: dict[str, int], by: str, reason: str = "", place: DecidedFrom = HERE
) -> None:
    """Approve a held period at these totals, in minor units by currency. Idempotent.

    Raises:
        NotHeldError: the period is not held, or its totals have changed.
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
            raise NotHeldError(f"the totals of {period} have changed: check `perdure period status {period}` again")
        await connection.execute(
            statement("accounts/policies", "approve"), {"period": period, "by": by, "approved": json.dumps(totals)}
        )
        await record_decision(connection, DecisionKind.APPROVE_PERIOD, period, by=by, reason=reason, place=place)


def _hold(row: Mapping[Any, Any]) -> PeriodHold:
    return PeriodHold(**{**row, "totals": json.loads(row["totals"]), "approved": json.loads(row["approved"] or "{}")})
