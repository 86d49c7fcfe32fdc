"""The expected bills of one account's year, computed from its events alone, without any of the product's code.

It uses whole seconds, plain lists of intervals, and fractions: slow and obvious.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class YearWindow:
    """A stretch of a subscription: paid in `currency`, or free for a reason: `trial`, or `collection_paused`."""

    span: Span
    currency: str
    free: str = ""


@dataclass
class Bill:
    """One invoice: its spans by instance, and its amount in cents.

    `fee` is the subscription's base fee that Stripe itself put on the same invoice. A waiting bill has its usage, but
    nobody may be charged for it yet: a person holds the draft, or Stripe refuses its currency. Refunds are money that
    went back by hand; they change neither the invoice nor what it bills.
    """

    spans: dict[str, list[Span]]
    currency: str
    amount: int
    fee: int = 0
    waiting: bool = False
    refunded: int = 0


@dataclass
class Year:
    """The account's events so far.

    `rates`: (from, credits per minute by class, price per credit by currency), oldest first. `minimum`: cents.
    """

    rates: list[tuple[str, dict[str, str], dict[str, str]]]
    minimum: int
    windows: list[YearWindow] = field(default_factory=list)
    instances: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)

    def subscribe(self, at: str, currency: str = "usd", *, trial_until: str | None = None) -> None:
        """Begin a subscription, which is paid from its start, or from the end of its trial."""
        paid_from = second(trial_until or at)
        if trial_until:
            self.windows.append(YearWindow((second(at), paid_from), currency, "trial"))
        self.windows.append(YearWindow((paid_from, FAR), currency))

    def cancel(self, at: str) -> None:
        """End what is open: a subscription that is cancelled in its trial is never paid for."""
        end = second(at)
        cut = [replace(w, span=(w.span[0], min(w.span[1], end))) for w in self.windows]
        self.windows = [w for w in cut if w.span[0] < w.span[1]]

    def give(self, at: str, until: str) -> None:
        """Pause the collection of what is open for some time, for which the service is free."""
        start, end = second(at), second(until)
        window = self.windows.pop()
        assert window.span[0] < start < end < window.span[1] == FAR
        self.windows += [
            replace(window, span=(window.span[0], start)),
            replace(window, span=(start, end), free="collection_paused"),
            replace(window, span=(end, FAR)),
        ]

    def runs(self, name: str, start: str, end: str, workspace_class: str = "default") -> None:
        self.instances[name] = (workspace_class, second(start), second(end))

    def settle(self, name: str, cutoff: str, currency: str = "usd", *, fee: int = 0) -> int:
        """Bill the unbilled usage of one currency up to the cutoff. Returns the amount, 0 if there is no invoice."""
        spans, seconds = self._unbilled(second(cutoff), currency)
        amount = 0
        for (workspace_class, version), total in seconds.items():
            _, per_minute, prices = self.rates[version]
            credits = half_even(Fraction(total, 60) * Fraction(per_minute[workspace_class]), 6)
            amount += half_up(credits * Fraction(prices[currency]) * 100)
        if amount == 0 or amount < self.minimum:
            return 0
        self.bills[name] = Bill(spans, currency, amount, fee)
        return amount

    def void(self, name: str) -> None:
        del self.bills[name]

    def credit(self, cents: int, currency: str = "usd") -> None:
        self.credits[currency] = self.credits.get(currency, 0) + cents

    def total(self, currency: str = "usd") -> int:
        """Return what may be charged for usage: all invoices that do not wait less all credits, in cents."""
        charged = sum(bill.amount for bill in self._charged(currency))
        return charged - self.credits.get(currency, 0)

    def fees(self, currency: str = "usd") -> int:
        """Return the base fees that Stripe charges on the same invoices, in cents."""
        return sum(bill.fee for bill in self._charged(currency))

    def free(self, reason: str) -> dict[str, int]:
        """Return the seconds that are free for this reason by instance."""
        found: dict[str, int] = {}
        for name, (_, start, end) in self.instances.items():
            for window in self.windows:
                for part in both((start, end), window.span) if window.free == reason else []:
                    found[name] = found.get(name, 0) + part[1] - part[0]
        return found

    def _charged(self, currency: str) -> list[Bill]:
        return [bill for bill in self.bills.values() if bill.currency == currency and not bill.waiting]

    def _unbilled(self, cutoff: int, currency: str) -> tuple[dict[str, list[Span]], dict[tuple[str, int], int]]:
        paid = [window.span for window in self.windows if window.currency == currency and not window.free]
        spans: dict[str, list[Span]] = {}
        seconds: dict[tuple[str, int], int] = {}
        for name, (workspace_class, start, end) in self.instances.items():
            billed = [span for bill in self.bills.values() for span in bill.spans.get(name, [])]
            ran = both((start, end), (0, cutoff))
            covered = [span for window in paid for whole in ran for span in both(whole, window)]
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
