"""A plan: what is about to be done, shown to a person who agrees to it or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from billing.money import format_amount


@dataclass(frozen=True)
class Plan:
    """What is about to be done, for a person to agree to.

    Args:
        action: the whole of it, as an order: `Void 2022-05/acme/period`.
        facts: what it concerns, by name: customer, amount, period.
        effects: sentences that say what happens then.
        items: what it concerns, one line each, if it is a list.
        document: the same for `--dry-run --json`.
    """

    action: str
    facts: Sequence[tuple[str, str]]
    effects: str
    items: Sequence[str] = ()
    document: Mapping[str, object] = field(default_factory=dict)


def because(reason: str) -> str:
    """Return the end of a sentence that says why, if it was said."""
    return f": {reason}" if reason else ""


def totals(amounts: Iterable[tuple[str, int]]) -> str:
    """Return the totals of amounts in minor units, each with its currency, for people: `12.00 EUR, 9.50 USD`."""
    found: Counter[str] = Counter()
    for currency, amount in amounts:
        found[currency] += amount
    return (
        ", ".join(format_amount(amount, currency) for currency, amount in sorted(found.items()) if amount) or "nothing"
    )
