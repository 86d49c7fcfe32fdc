"""How an invoice line is named for people, and what JSON says of its pricing."""

from __future__ import annotations

from typing import Any

from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine
from billing.report.canonical import format_credits, format_decimal


def line_name(rated: RatedLine) -> str:
    """What an invoice line is, in a table."""
    if rated.kind is LineKind.TIERS:
        return tiers_in_words(rated.tiers)
    return rated.workspace_class + (" (as default)" if rated.rated_as_default else "")


def tiers_document(rated: RatedLine) -> dict[str, Any]:
    """What JSON says of a line besides its figures."""
    tiers = [{"credits": format_credits(s.credits), "price": format_decimal(s.price)} for s in rated.tiers]
    return {"kind": str(rated.kind), "tiers": tiers}
