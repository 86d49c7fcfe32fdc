"""Check for every instance: billed + open + written off + excluded + not yet billed = runtime, in microseconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import exponent, step
from storage.audit.parameters import CheckInput, Figures, count
from storage.postgres.statements import statement

INVALID = (
    "no_creation_time", "no_started_time", "ends_before_start", "starts_before_creation", "no_attribution_id",
    "malformed_attribution_id", "no_such_account",
)  # fmt: skip
"""The reasons why an instance is invalid, as in `storage.periods.periods.ExcludedUsage`."""


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Add up the fates of every instance, and compare each claim with its instance and invoice."""
    parameters = given.parameters
    for name in ("create_usage", "clip_usage", "create_rest", "not_conserved", "unread"):
        await connection.execute(statement("audit/conservation", name), parameters)
    parameters |= await currencies(connection)
    await connection.execute(statement("audit/claims", "misplaced"), parameters)
    instances = await count(connection, statement("audit/conservation", "instances"), {})
    rows = await connection.execute(statement("audit/conservation", "figures"))
    return {"instances": instances, **_figures({row["invalid"]: dict(row) for row in rows.mappings()})}


async def currencies(connection: AsyncConnection) -> dict[str, Any]:
    """Return the invoiced currencies, as `factors` the minor units of one major unit of each, and their `steps`."""
    names = sorted((await connection.execute(statement("audit/claims", "currencies"))).scalars())
    factors = [Decimal(10) ** exponent(name) for name in names]
    return {"currencies": names, "factors": factors, "steps": [step(name) for name in names]}


def _figures(rows: dict[str | None, dict[str, Any]]) -> Figures:
    def total(name: str) -> int:
        return int(sum(row[name] for row in rows.values()))

    return {
        "runtime_us": total("runtime_us"),
        "billed_us": total("billed_us"),
        "open_us": total("open_us"),
        "written_off_us": total("written_off_us"),
        "unbilled_us": total("unbilled_us"),
        "stale_us": total("stale_us"),
        "uncovered_us": total("uncovered_us"),
        "trial_us": total("trial_us"),
        "collection_paused_us": total("paused_us"),
        "before_bill_after_us": total("early_us"),
        "before_first_rate_us": total("unrated_us"),
        **{f"{reason}_us": int(rows[reason]["excluded_us"]) if reason in rows else 0 for reason in INVALID},
    }
