"""Rating: durations become credits, credits become amounts. The rules are the design's section 3.

credits = Σ duration / 60 s × credits_per_minute(class)     rounded once, 6 decimals, half-even
amount  = credits × price_per_credit(currency)              rounded once to the minor unit, half-up
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from billing.errors import InputError, PricingError, RateCardError
from billing.money import EXACT, parse_currency, to_minor

DEFAULT_CLASS = "default"
_CREDIT = Decimal("0.000001")
_MICROSECONDS_PER_MINUTE = Decimal(60_000_000)
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


@dataclass(frozen=True)
class RateVersion:
    """The rates in force from one instant until the next version's.

    `credits_per_minute` by workspace class, with a `default`; `price_per_credit` and `minimum_charge` in
    major units by currency.
    """

    effective_from: datetime
    credits_per_minute: dict[str, Decimal]
    price_per_credit: dict[str, Decimal]
    minimum_charge: dict[str, Decimal]

    def rate(self, workspace_class: str) -> tuple[Decimal, bool]:
        """Credits per minute of a class, and whether the class is unknown and so rated as `default`."""
        known = workspace_class in self.credits_per_minute
        return self.credits_per_minute[workspace_class if known else DEFAULT_CLASS], not known

    def minimum(self, currency: str) -> int:
        """The smallest total, in minor units, that is invoiced in this currency; 0 when there is none."""
        return to_minor(self.minimum_charge.get(currency, Decimal(0)), currency)


@dataclass(frozen=True)
class RatedLine:
    """Credits and amount of one (workspace class, rate version). `amount` in minor units."""

    workspace_class: str
    rate_from: datetime
    credits_per_minute: Decimal
    rated_as_default: bool
    price_per_credit: Decimal
    duration_us: int
    credits: Decimal
    amount: int


@dataclass(frozen=True)
class RateCard:
    """All versions, oldest first."""

    versions: tuple[RateVersion, ...]

    @property
    def digest(self) -> str:
        """Names this content of the rate card: the first 16 hex digits of its SHA-256."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:16]

    def describe(self) -> list[dict[str, Any]]:
        """The card as JSON-ready data, every number a string."""

        def texts(numbers: dict[str, Decimal]) -> dict[str, str]:
            return {name: format(number, "f") for name, number in sorted(numbers.items())}

        return [
            {
                "effective_from": version.effective_from.isoformat(),
                "credits_per_minute": texts(version.credits_per_minute),
                "price_per_credit": texts(version.price_per_credit),
                "minimum_charge": texts(version.minimum_charge),
            }
            for version in self.versions
        ]

    def in_force(self, instant: datetime) -> RateVersion | None:
        """The version in force at `instant`; none before the first."""
        candidates = [version for version in self.versions if version.effective_from <= instant]
        return candidates[-1] if candidates else None

    def version_from(self, effective_from: datetime) -> RateVersion:
        """The version that starts at exactly this instant.

        Raises:
            PricingError: the card has none such (it was edited since).
        """
        for version in self.versions:
            if version.effective_from == effective_from:
                return version
        raise PricingError(f"the rate card has no version effective from {effective_from.isoformat()}")

    def rate_line(self, workspace_class: str, rate_from: datetime, duration_us: int, currency: str) -> RatedLine:
        """Price `duration_us` microseconds of one class under the version effective from `rate_from`.

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
        credits = rate_credits(duration_us, rate)
        return RatedLine(
            workspace_class=workspace_class,
            rate_from=rate_from,
            credits_per_minute=rate,
            rated_as_default=rated_as_default,
            price_per_credit=price,
            duration_us=duration_us,
            credits=credits,
            amount=to_minor(EXACT.multiply(credits, price), currency),
        )

    def minimum_charge(self, cutoff: datetime, currency: str) -> int:
        """The minimum charge, in minor units, of the version in force just before `cutoff`."""
        before = [version for version in self.versions if version.effective_from < cutoff]
        return before[-1].minimum(currency) if before else 0


def rate_credits(duration_us: int, credits_per_minute: Decimal) -> Decimal:
    """Credits of a duration in microseconds: one multiplication, one rounding to 6 decimals, half-even."""
    exact = EXACT.divide(EXACT.multiply(Decimal(duration_us), credits_per_minute), _MICROSECONDS_PER_MINUTE)
    return exact.quantize(_CREDIT, rounding=ROUND_HALF_EVEN, context=EXACT)


def is_billable_total(total: int, minimum: int) -> bool:
    """Whether an invoice of this total (minor units) is made at all; else its usage is carried over."""
    return total > 0 and total >= minimum


def load_rate_card(path: Path) -> RateCard:
    """Read and validate a rate card file.

    Raises:
        RateCardError: it cannot be read or is invalid; the message says where and why.
    """
    try:
        return parse_rate_card(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise RateCardError(
            f"rate card {path}: cannot be read: {error.strerror or error}; set RATE_CARD to its path"
        ) from error
    except UnicodeDecodeError as error:
        raise RateCardError(f"rate card {path}: not UTF-8 text; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise RateCardError(f"rate card {path}: not TOML: {error}") from error
    except RateCardError as error:
        raise RateCardError(f"rate card {path}: {error}") from None


def parse_rate_card(document: dict[str, Any]) -> RateCard:
    """Validate a rate card's content.

    Raises:
        RateCardError: something is missing, unknown, of the wrong type, or out of order.
    """
    if unknown := sorted(set(document) - {"version"}):
        raise RateCardError(f"unknown key {unknown[0]!r}: a rate card is a list of [[version]] tables")
    tables = document.get("version")
    if not isinstance(tables, list) or not tables:
        raise RateCardError("no [[version]]: write at least one")
    versions = [_parse_version(table, f"version {number}") for number, table in enumerate(tables, 1)]
    _check_order(versions)
    return RateCard(tuple(versions))


def _check_order(versions: Sequence[RateVersion]) -> None:
    for number, (older, newer) in enumerate(pairwise(versions), 2):
        if newer.effective_from <= older.effective_from:
            raise RateCardError(f"version {number}: effective_from is not after that of the version before it")


def _parse_version(table: object, where: str) -> RateVersion:
    if not isinstance(table, dict):
        raise RateCardError(f"{where}: not a table")
    known = {"effective_from", "credits_per_minute", "price_per_credit", "minimum_charge"}
    if unknown := sorted(set(table) - known):
        raise RateCardError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    effective_from = table.get("effective_from")
    if not isinstance(effective_from, datetime) or effective_from.tzinfo is None:
        raise RateCardError(f"{where}: effective_from must be an instant with a zone, e.g. 2022-01-01T00:00:00Z")
    rates = _numbers(table.get("credits_per_minute"), f"{where}: credits_per_minute")
    if DEFAULT_CLASS not in rates:
        raise RateCardError(f"{where}: credits_per_minute needs a rate for {DEFAULT_CLASS!r}")
    try:
        effective_from = effective_from.astimezone(UTC)
    except OverflowError:
        raise RateCardError(f"{where}: effective_from is out of range") from None
    return RateVersion(
        effective_from=effective_from,
        credits_per_minute=rates,
        price_per_credit=_by_currency(table.get("price_per_credit"), f"{where}: price_per_credit"),
        minimum_charge=_by_currency(table.get("minimum_charge", {}), f"{where}: minimum_charge", may_be_empty=True),
    )


def _by_currency(table: object, where: str, *, may_be_empty: bool = False) -> dict[str, Decimal]:
    numbers = _numbers(table, where, may_be_empty=may_be_empty)
    for name in numbers:
        try:
            if parse_currency(name) != name:
                raise InputError(f"{name!r}: currencies are in lower case")
        except InputError as error:
            raise RateCardError(f"{where}: {error}") from None
    return numbers


def _numbers(table: object, where: str, *, may_be_empty: bool = False) -> dict[str, Decimal]:
    if not isinstance(table, dict) or not (table or may_be_empty):
        raise RateCardError(f"{where}: must be a table with at least one entry")
    for name in table:
        if not name or not name.isprintable() or name != name.strip():
            raise RateCardError(f"{where}: {name!r} is not a name")
    return {name: _number(value, f"{where}.{name}") for name, value in table.items()}


def _number(value: object, where: str) -> Decimal:
    if not isinstance(value, str):
        raise RateCardError(f'{where}: write the number as a string, e.g. "0.036", so that it stays exact')
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise RateCardError(f"{where}: {_short(value)} is not a number: write digits, and a point if need be")
    if len(match[1].lstrip("0")) > 9:
        raise RateCardError(f"{where}: {_short(value)} must be from 0 to 999999999")
    if len(match[2] or "") > 12:
        raise RateCardError(f"{where}: {_short(value)} has more than 12 decimals")
    return Decimal(value)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
