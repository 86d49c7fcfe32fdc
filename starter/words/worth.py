"""What usage would cost that is not charged, in words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from billing.money import EXACT, format_amount, to_minor

NOT_KNOWN = "not known"


def worth_in_words(found: Iterable[tuple[str | None, Decimal | None]]) -> str:
    """Return the sum of what instances would cost, each by its currency and major units; None: it is not known."""
    sums: dict[str, Decimal] = {}
    unknown = 0
    for currency, exact in found:
        if currency is None or exact is None:
            unknown += 1
        else:
            sums[currency] = EXACT.add(sums.get(currency, Decimal(0)), exact)
    if not sums:
        return f"worth {NOT_KNOWN}"
    amounts = ", ".join(format_amount(to_minor(exact, currency), currency) for currency, exact in sorted(sums.items()))
    return f"worth {amounts}" + (f", of {unknown:,} {NOT_KNOWN}" if unknown else "")
