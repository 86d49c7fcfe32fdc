"""Usage that was billed and should not have been, told to people and to programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starter.cli import output
from storage.periods.periods import OverbilledUsage

_MOST_SHOWN = 20


def documents(usage: Sequence[OverbilledUsage]) -> list[dict[str, Any]]:
    """The field `overbilled` of `period status --json` and `accounts import --json`."""
    return [
        {
            "instance_id": row.instance_id,
            "invoice_key": row.invoice_key,
            "duration_us": row.duration_us,
            "reason": row.reason,
        }
        for row in usage
    ]


def sentence(overbilled: Sequence[Mapping[str, Any]]) -> str:
    """How much these documents add up to, and on which invoices."""
    keys = sorted({row["invoice_key"] for row in overbilled})
    more = ", ..." if len(keys) > _MOST_SHOWN else ""
    return (
        f"overbilled: {len(overbilled)} claims, {output.hours(sum(row['duration_us'] for row in overbilled))}: "
        f"credit the customer: {', '.join(keys[:_MOST_SHOWN])}{more}"
    )
