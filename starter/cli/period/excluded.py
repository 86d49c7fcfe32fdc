"""The usage of a period that is excluded, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.invoice.policy import UnknownClass
from billing.money import EXACT
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from billing.report.canonical import format_credits
from billing.text import plural
from settings import Settings
from starter.cli import output
from starter.words.worth import worth_in_words
from storage.periods import periods
from storage.postgres.database import Database

FREE = frozenset(map(str, WindowKind)) - frozenset(map(str, PAID_ALONE))
"""The reasons of usage that is free by its window: a dry run lists no others."""


async def excluded_usage(
    db: Database, settings: Settings, month: BillingPeriod, *, reasons: Collection[str] = (), account: str | None = None
) -> list[dict[str, Any]]:
    """Return the excluded usage as a JSON document, up to now if the period has not ended.

    Args:
        db: the database.
        settings: those of the deployment.
        month: the period.
        reasons: the only ones to return; all if empty.
        account: the only account to return; all if None.
    """
    return [
        {
            "instance_id": row.instance_id,
            "attribution_id": row.attribution_id,
            "reason": row.reason,
            "duration_us": row.duration_us,
            "credits": None if row.credits is None else format_credits(row.credits),
            "currency": row.currency,
            "price_per_credit": None if row.price is None else f"{row.price:f}",
            "worth": row.worth,
        }
        async for row in periods.excluded_instances(
            db,
            start=month.start(settings.zone),
            end=min(month.end(settings.zone), datetime.now(UTC)),
            bill_after=settings.bill_after,
            rate_card=load_rate_card(settings.rate_card),
            silence=silence_of(settings),
            charged_kinds=charged_kinds_of(settings),
            unknown_class=UnknownClass(settings.unknown_class),
        )
        if (not reasons or row.reason in reasons) and account in (None, row.attribution_id)
    ]


def print_excluded(rows: Sequence[Mapping[str, Any]], where: str) -> None:
    """Print a line for each reason; `where` says what lists the instances."""
    reasons: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        reasons.setdefault(row["reason"], []).append(row)
    for reason, own in sorted(reasons.items()):
        time = output.hours(sum(row["duration_us"] or 0 for row in own))
        worth = worth_in_words((row["currency"], _exact_worth(row)) for row in own)
        output.say(f"excluded, {reason}: {plural(len(own), 'instance')}, {time}, {worth} ({where})")


def _exact_worth(row: Mapping[str, Any]) -> Decimal | None:
    if row["credits"] is None or row["price_per_credit"] is None:
        return None
    return EXACT.multiply(Decimal(row["credits"]), Decimal(row["price_per_credit"]))
