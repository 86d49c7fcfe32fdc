"""Rating: durations become credits, and credits become amounts. docs/rating.md explains the rules.

credits = Σ (duration × quantity) / 60 s × credits_per_minute(class)     rounded once, 6 decimals, half-even
amount  = credits × price_per_credit(currency)              rounded once to the currency's step, half-up
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Any

from billing.errors import PricingError
from billing.money import EXACT, step, to_minor

DEFAULT_CLASS = "default"
ADJUSTMENT_CLASS = "(adjustment)"
"""What stands for the workspace class of a line of the kind adjustment, so that sums by class show it apart."""
_CREDIT = Decimal("0.000001")
_MICROSECONDS_PER_MINUTE = Decimal(60_000_000)


class LineKind(StrEnum):
    """The kind of an invoice line."""

    USAGE = "usage"
    """Time of one (workspace class, rate version), at the base price. It has claims."""
    TIERS = "tiers"
    """The correction of a rate version's usage lines for included credits and graduated prices. It has no claims."""
    ADJUSTMENT = "adjustment"
    """What the correction of an earlier invoice charges in addition. It has an amount alone, and no claims."""


@dataclass(frozen=True)
class Tier:
    """The price, in major units, of a month's credits up to `up_to`, counted after the included credits.

    `up_to` is None for the last tier, which has no upper bound.
    """

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True)
class TierShare:
    """Credits that share one price, in major units."""

    credits: Decimal
    price: Decimal


@dataclass(frozen=True)
class RateVersion:
    """The rates in force from `effective_from` until the next version.

    `credits_per_minute` is by workspace class, with a `default`; `price_per_credit` and `minimum_charge` are in major
    units, by currency. `included_credits` are free for each account and month. `tiers` are graduated prices by
    currency; the first tier's price is the `price_per_credit`.
    """

    effective_from: datetime
    credits_per_minute: dict[str, Decimal]
    price_per_credit: dict[str, Decimal]
    minimum_charge: dict[str, Decimal]
    included_credits: Decimal = Decimal(0)
    tiers: dict[str, tuple[Tier, ...]] = field(default_factory=dict)

    @property
    def is_graduated(self) -> bool:
        """Whether a price depends on the credits used before in the month."""
        return bool(self.included_credits or self.tiers)

    def rate(self, workspace_class: str) -> tuple[Decimal, bool]:
        """Return the credits per minute of a class, and whether the class is unknown and so rated as `default`."""
        known = workspace_class in self.credits_per_minute
        return self.credits_per_minute[workspace_class if known else DEFAULT_CLASS], not known

    def minimum(self, currency: str) -> int:
        """Return the smallest total, in minor units, that is invoiced in this currency; 0 if there is none."""
        return to_minor(self.minimum_charge.get(currency, Decimal(0)), currency)


@dataclass(frozen=True)
class RatedLine:
    """Credits and amount of one (workspace class, rate version). `amount` is in minor units.

    `quantity_us` is Σ (duration × quantity) in microseconds; None if that is `duration_us`.
    """

    workspace_class: str
    rate_from: datetime
    credits_per_minute: Decimal
    rated_as_default: bool
    price_per_credit: Decimal
    duration_us: int
    credits: Decimal
    amount: int
    kind: LineKind = LineKind.USAGE
    tiers: tuple[TierShare, ...] = ()
    """For a line of tiers: the final prices of its rate version's credits."""
    quantity_us: Decimal | None = None
    step: int = 1
    """The minor units of which the amount is a multiple."""
    correction_key: str | None = None
    """For a line of the kind adjustment: the correction that it charges."""

    @property
    def metered_us(self) -> Decimal:
        """Σ (duration × quantity) in microseconds: what the credits are computed from."""
        return Decimal(self.duration_us) if self.quantity_us is None else self.quantity_us


@dataclass(frozen=True)
class RateCard:
    """The rate card: all versions, oldest first."""

    versions: tuple[RateVersion, ...]

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of the rate card's content."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:16]

    def describe(self) -> list[dict[str, Any]]:
        """Return the card as JSON-ready data, with every number as a string."""

        def texts(numbers: dict[str, Decimal]) -> dict[str, str]:
            return {name: format(number, "f") for name, number in sorted(numbers.items())}

        return [
            {
                "effective_from": version.effective_from.isoformat(),
                "credits_per_minute": texts(version.credits_per_minute),
                "price_per_credit": texts(version.price_per_credit),
                "minimum_charge": texts(version.minimum_charge),
                **_describe_graduation(version),
            }
            for version in self.versions
        ]

    @property
    def currencies(self) -> list[str]:
        """All currencies that any version has prices in, sorted."""
        return sorted({currency for version in self.versions for currency in version.price_per_credit})

    @property
    def is_graduated(self) -> bool:
        """Whether any version is graduated."""
        return any(version.is_graduated for version in self.versions)

    def in_force(self, instant: datetime) -> RateVersion | None:
        """Return the version in force at `instant`, or None before the first version."""
        candidates = [version for version in self.versions if version.effective_from <= instant]
        return candidates[-1] if candidates else None

    def version_from(self, effective_from: datetime) -> RateVersion:
        """Return the version that starts at exactly this instant.

        Raises:
            PricingError: the card has no such version (it has been edited since).
        """
        for version in self.versions:
            if version.effective_from == effective_from:
                return version
        raise PricingError(f"the rate card has no version effective from {effective_from.isoformat()}")

    def included_credits(self, start: datetime) -> Decimal:
        """Return the free credits of the month that begins at `start`.

        The version in force at `start` determines them; before the first version, the first one does.
        """
        return (self.in_force(start) or self.versions[0]).included_credits

    def rate_line(
        self,
        workspace_class: str,
        rate_from: datetime,
        duration_us: int,
        currency: str,
        quantity_us: Decimal | None = None,
    ) -> RatedLine:
        """Price `duration_us` microseconds of one class under the version effective from `rate_from`.

        `quantity_us` is Σ (duration × quantity); None where every quantity is 1.

        Raises:
            PricingError: the version has no price in this currency.
        """
        version = self.version_from(rate_from)
        price = version.price_per_credit.get(currency)
        if price is None:
            raise PricingError(
                f"no price_per_credit in {currency} from {rate_from.isoformat()}: add it to the rate card"
            )
        rate, rated_as_default = version.rate(workspace_class)
        metered_us = Decimal(duration_us) if quantity_us is None else quantity_us
        credits = rate_credits(metered_us, rate)
        return RatedLine(
            workspace_class=workspace_class,
            rate_from=rate_from,
            credits_per_minute=rate,
            rated_as_default=rated_as_default,
            price_per_credit=price,
            duration_us=duration_us,
            credits=credits,
            amount=to_minor(EXACT.multiply(credits, price), currency),
            quantity_us=None if metered_us == duration_us else metered_us,
            step=step(currency),
        )

    def before(self, cutoff: datetime) -> RateVersion | None:
        """Return the version in force just before `cutoff`, or None before the first version."""
        return next((version for version in reversed(self.versions) if version.effective_from < cutoff), None)

    def minimum_charge(self, cutoff: datetime, currency: str) -> int:
        """Return the minimum charge, in minor units, of the version in force just before `cutoff`."""
        version = self.before(cutoff)
        return version.minimum(currency) if version else 0


def _describe_graduation(version: RateVersion) -> dict[str, Any]:
    """Return the graduation keys, only if the version has any, so that the digests of other cards do not change."""
    described: dict[str, Any] = {}
    if version.included_credits:
        described["included_credits"] = format(version.included_credits, "f")
    if version.tiers:
        described["tiers"] = {
            currency: [
                {"up_to": None if tier.up_to is None else format(tier.up_to, "f"), "price": format(tier.price, "f")}
                for tier in tiers
            ]
            for currency, tiers in sorted(version.tiers.items())
        }
    return described


def rate_credits(metered_us: int | Decimal, credits_per_minute: Decimal) -> Decimal:
    """Return the credits of Σ (duration × quantity) in microseconds, rounded once to 6 decimals, half-even."""
    exact = EXACT.divide(EXACT.multiply(Decimal(metered_us), credits_per_minute), _MICROSECONDS_PER_MINUTE)
    return exact.quantize(_CREDIT, rounding=ROUND_HALF_EVEN, context=EXACT)


def is_billable_total(total: int, minimum: int) -> bool:
    """Return whether an invoice of this total (minor units) is made; if not, its usage is carried over."""
    return total > 0 and total >= minimum
