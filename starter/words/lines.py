"""An invoice line's name for people, and its pricing as JSON."""

from __future__ import annotations

from typing import Any

from billing.invoice.adjustments import adjustment_in_words
from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine
from billing.report.canonical import format_credits, format_decimal
from starter.words.times import clock


def line_name(rated: RatedLine) -> str:
    """Return an invoice line's name in a table: its class, its tiers, or the invoice that it corrects."""
    if rated.kind is LineKind.TIERS:
        return tiers_in_words(rated.tiers)
    if rated.kind is LineKind.ADJUSTMENT:
        return adjustment_in_words(rated)
    return rated.workspace_class + (" (as default)" if rated.rated_as_default else "")


def line_hours(rated: RatedLine) -> str:
    """Return a line's runtime, with the unit hours where quantities are not 1."""
    ran = clock(rated.duration_us)
    if rated.quantity_us is None:
        return ran
    return f"{ran} ({rated.quantity_us / 3_600_000_000:,.2f} unit hours)"


def pricing_document(rated: RatedLine) -> dict[str, Any]:
    """Return the JSON fields that say how a line was priced: Σ (duration × quantity), its kind and its tiers.

    Also its step, where that is more than the smallest unit, and the key of the correction that it charges, if any.
    """
    tiers = [{"credits": format_credits(s.credits), "price": format_decimal(s.price)} for s in rated.tiers]
    priced = {"quantity_us": format_decimal(rated.metered_us), "kind": str(rated.kind), "tiers": tiers}
    return {
        **priced,
        **({} if rated.step == 1 else {"step": rated.step}),
        **({} if rated.correction_key is None else {"correction_key": rated.correction_key}),
    }
