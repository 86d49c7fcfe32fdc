"""What the usage of the present period costs so far: an estimate from a sample of instances, with its error.

It counts what ran within the charged windows at the prices in force, billed already or not. It leaves out included
credits, graduated prices, minimum charges, classes without a rate, and that silent instances are billed only up to
their last sign. So it says how large the period is going to be, and not what a run would bill: `perdure period run
--dry-run` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from typing import Any

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.pricing.rating import DEFAULT_CLASS
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_PAGES = 60


@dataclass(frozen=True)
class SoFar:
    """An estimated amount of one currency, in minor units.

    `error`: the standard error: in two cases of three the exact amount is within it. Zero if every instance was read.
    """

    currency: str
    amount: int
    error: int


async def usage_so_far(
    db: Database,
    start: datetime,
    now: datetime,
    *,
    bill_after: datetime | None = None,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
) -> list[SoFar]:
    """Return what usage within `[start, now)` costs, by currency.

    Empty without usage, or if the billing worker has not published its rate card yet. `bill_after`, `charged_kinds`:
    the deployment's.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        size = (await connection.execute(statement("totals/so_far", "size"))).one()
        step = max(1, size.pages // _PAGES) if size.rows > 0 else 1
        given: dict[str, Any] = {
            "start": start,
            "now": now,
            "bill_after": bill_after,
            "default_class": DEFAULT_CLASS,
            "charged_kinds": sorted(charged_kinds),
        }
        if step > 1:
            given |= {"pages": size.pages, "step": step}
        read = statement("totals/so_far", "sample") if step > 1 else statement("totals/so_far", "whole")
        found = (await connection.execute(read, given)).all()
    rows = {row.number: row.rows for row in found}
    costs: dict[str, dict[int, Decimal]] = {}
    for row in found:
        if row.currency is not None:
            costs.setdefault(row.currency, {})[row.number] = row.amount
    instances = size.rows if step > 1 else sum(rows.values())
    return [_estimate(currency, rows, costs[currency], instances) for currency in sorted(costs)]


def _estimate(currency: str, rows: Mapping[int, int], costs: Mapping[int, Decimal], instances: int) -> SoFar:
    """Scale the sampled cost to all instances. `rows`, `costs`: by page.

    The error is that of a systematic sample: of the differences between neighbours (Wolter, Introduction to Variance
    Estimation, chapter 8).
    """
    read = sum(rows.values())
    each = sum(costs.values(), Decimal(0)) / read
    if read >= instances:
        return SoFar(currency, round(each * read), 0)
    rest = [float(costs.get(page, Decimal(0)) - each * count) for page, count in rows.items()]
    spread = sum((one - other) ** 2 for one, other in pairwise(rest)) / 2
    error = instances / read * sqrt(spread * len(rest) / max(1, len(rest) - 1))
    return SoFar(currency, round(each * instances), round(error))
