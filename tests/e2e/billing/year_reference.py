"""The expected bills of one account's year, computed from its events alone, without any of the product's code.

It uses whole seconds, plain lists of intervals, and fractions: slow and obvious.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

Span = tuple[int, int]
FAR = 10**11


def second(text: str) -> int:
    """Return `2022-05-03` or `2022-05-03T10:00` as seconds in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def both(one: Span, other: Span) -> list[Span]:
    """Return the overlap of both spans, if any."""
    start, end = max(one[0], other[0]), min(one[1], other[1])
    return [(start, end)] if start < end else []


def without(span: Span, gone: list[Span]) -> list[Span]:
    """Return what remains of a span without others."""
    left = [span]
    for start, end in gone:
        left = [piece for a, b in left for piece in ((a, min(b, start)), (max(a, end), b)) if piece[0] < piece[1]]
    return left


def half_even(value: Fraction, places: int) -> Fraction:
    """Round half to even, as Python rounds fractions."""
    return Fraction(round(value * 10**places), 10**places)


def half_up(value: Fraction) -> int:
    """Round a non-negative value half up."""
    return int(value + Fraction(1, 2))


@dataclass
class Bill:
    """One invoice: its spans by instance, and its amount in cents."""

    spans: dict[str, list[Span]]
    amount: int


@dataclass
class Year:
    """The account's events so far. `rates`: (from, credits per minute by class, price per credit), oldest first."""

    rates: list[tuple[str, dict[str, str], str]]
    minimum: int
    windows: list[Span] = field(default_factory=list)
    instances: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    credits: int = 0

    def subscribe(self, at: str) -> None:
        self.windows.append((second(at), FAR))

    def cancel(self, at: str) -> None:
        self.windows[-1] = (self.windows[-1][0], second(at))

    def runs(self, name: str, start: str, end: str, workspace_class: str = "default") -> None:
        self.instances[name] = (workspace_class, second(start), second(end))

    def settle(self, name: str, cutoff: str) -> int:
        """Bill the unbilled usage up to the cutoff. Returns the amount in cents, 0 if there is no invoice."""
        spans, seconds = self._unbilled(second(cutoff))
        amount = 0
        for (workspace_class, version), total in seconds.items():
            _, per_minute, price = self.rates[version]
            credits = half_even(Fraction(total, 60) * Fraction(per_minute[workspace_class]), 6)
            amount += half_up(credits * Fraction(price) * 100)
        if amount == 0 or amount < self.minimum:
            return 0
        self.bills[name] = Bill(spans, amount)
        return amount

    def void(self, name: str) -> None:
        del self.bills[name]

    def credit(self, cents: int) -> None:
        self.credits += cents

    @property
    def total(self) -> int:
        """Return all invoices less all credits, in cents."""
        return sum(bill.amount for bill in self.bills.values()) - self.credits

    def _unbilled(self, cutoff: int) -> tuple[dict[str, list[Span]], dict[tuple[str, int], int]]:
        spans: dict[str, list[Span]] = {}
        seconds: dict[tuple[str, int], int] = {}
        for name, (workspace_class, start, end) in self.instances.items():
            billed = [span for bill in self.bills.values() for span in bill.spans.get(name, [])]
            ran = both((start, end), (0, cutoff))
            covered = [span for window in self.windows for whole in ran for span in both(whole, window)]
            for piece in [left for span in covered for left in without(span, billed)]:
                spans.setdefault(name, []).append(piece)
                for version in range(len(self.rates)):
                    for part in both(piece, self._in_force(version)):
                        key = (workspace_class, version)
                        seconds[key] = seconds.get(key, 0) + part[1] - part[0]
        return spans, seconds

    def _in_force(self, version: int) -> Span:
        until = second(self.rates[version + 1][0]) if version + 1 < len(self.rates) else FAR
        return second(self.rates[version][0]), until
