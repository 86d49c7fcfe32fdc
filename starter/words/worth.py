"""What usage would cost that is not charged, in words."""

from __future__ import annotations

from collections.abc import Iterable

from billing.money import format_amount

NOT_KNOWN = "not known"


def worth_in_words(found: Iterable[tuple[str | None, int | None]]) -> str:
    """Return the sum of what instances would cost, each by its currency and minor units; None: it is not known."""
    sums: dict[str, int] = {}
    unknown = 0
    for currency, minor in found:
        if currency is None or minor is None:
            unknown += 1
        else:
            sums[currency] = sums.get(currency, 0) + minor
    if not sums:
        return f"worth {NOT_KNOWN}"
    amounts = ", ".join(format_amount(minor, currency) for currency, minor in sorted(sums.items()))
    return f"worth {amounts}" + (f", of {unknown:,} {NOT_KNOWN}" if unknown else "")
