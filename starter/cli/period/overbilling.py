"""Usage that was billed and should not have been, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.text import plural
from starter.cli import output
from storage.periods.periods import OverbilledUsage

_MOST_SHOWN = 20


def documents(usage: Sequence[OverbilledUsage]) -> list[dict[str, Any]]:
    """Return the field `overbilled` of `period status --json` and `accounts import --json`."""
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
    """Sum up these documents: how much time of how many instances, and on which invoices."""
    keys = sorted({row["invoice_key"] for row in overbilled})
    more = ", ..." if len(keys) > _MOST_SHOWN else ""
    duration = output.hours(sum(row["duration_us"] for row in overbilled))
    instances = plural(len({row["instance_id"] for row in overbilled}), "instance")
    return f"overbilled: {duration} of {instances} (credit the customer: {', '.join(keys[:_MOST_SHOWN])}{more})"
