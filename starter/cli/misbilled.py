"""Misbilled usage, time whose claim and segment disagree, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.text import plural
from starter.cli import output
from storage.usage.misbilled import MisbilledUsage

_MOST_SHOWN = 20
_MOST_NAMED = 5


def documents(usage: Sequence[MisbilledUsage]) -> list[dict[str, Any]]:
    """Return the field `misbilled` of `period status --json` and of the imports' JSON."""
    return [
        {
            "instance_id": row.instance_id,
            "invoice_key": row.invoice_key,
            "duration_us": row.duration_us,
            "reason": row.reason,
        }
        for row in usage
    ]


def sentence(misbilled: Sequence[Mapping[str, Any]]) -> str:
    """Sum up these documents: how much time of how many instances, in which way, and on which invoices."""
    keys = sorted({row["invoice_key"] for row in misbilled})
    more = ", ..." if len(keys) > _MOST_SHOWN else ""
    duration = output.hours(sum(row["duration_us"] for row in misbilled))
    ids = sorted({row["instance_id"] for row in misbilled})
    instances = f"{plural(len(ids), 'instance')} ({', '.join(ids[:_MOST_NAMED])}{', ...' * (len(ids) > _MOST_NAMED)})"
    reasons = ", ".join(sorted({row["reason"].replace("_", " ") for row in misbilled}))
    return (
        f"misbilled: {duration} of {instances}, {reasons} "
        f"(`perdure invoices correct`: {', '.join(keys[:_MOST_SHOWN])}{more})"
    )
