"""Read and validate the rate card file. docs/rating.md explains its format."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path  # noqa: TID251 - activities and commands read the file
from typing import Any

from billing.errors import InputError, RateCardError
from billing.money import parse_currency
from billing.pricing.rating import DEFAULT_CLASS, RateCard, RateVersion, Tier

_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def load_rate_card(path: Path) -> RateCard:
    """Read and validate a rate card file.

    Raises:
        RateCardError: the file cannot be read or is invalid; the message says where and why.
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
        raise RateCardError("no [[version]] table: write at least one")
    versions = [_parse_version(table, f"version {number}") for number, table in enumerate(tables, 1)]
    _check_order(versions)
    return RateCard(tuple(versions))


def described_rate_card(content: Sequence[Mapping[str, Any]]) -> RateCard:
    """Return the rate card that `RateCard.describe` has described.

    Raises:
        RateCardError: it has not: something is missing or malformed.
    """
    tables = []
    for version in content:
        tiers = version.get("tiers", {})
        flat = {name: price for name, price in version["price_per_credit"].items() if name not in tiers}
        effective_from = datetime.fromisoformat(version["effective_from"])
        tables.append({**version, "effective_from": effective_from, "price_per_credit": flat})
    return parse_rate_card({"version": tables})


def _check_order(versions: Sequence[RateVersion]) -> None:
    for number, (older, newer) in enumerate(pairwise(versions), 2):
        if newer.effective_from <= older.effective_from:
            raise RateCardError(f"version {number}: effective_from is not after that of the version before it")


def _parse_version(table: object, where: str) -> RateVersion:
    if not isinstance(table, dict):
        raise RateCardError(f"{where}: not a table")
    known = {"effective_from", "credits_per_minute", "price_per_credit", "minimum_charge", "included_credits", "tiers"}
    if unknown := sorted(set(table) - known):
        raise RateCardError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(sorted(known))}")
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
    tiers = _tiers(table.get("tiers", {}), f"{where}: tiers")
    flat = _by_currency(table.get("price_per_credit", {} if tiers else None), f"{where}: price_per_credit", bool(tiers))
    if both := sorted(set(flat) & set(tiers)):
        raise RateCardError(f"{where}: {both[0]} has both a price_per_credit and tiers: write only one of them")
    included = table.get("included_credits")
    return RateVersion(
        effective_from=effective_from,
        credits_per_minute=rates,
        price_per_credit={**flat, **{currency: steps[0].price for currency, steps in tiers.items()}},
        included_credits=Decimal(0) if included is None else _number(included, f"{where}: included_credits"),
        tiers=tiers,
        minimum_charge=_by_currency(table.get("minimum_charge", {}), f"{where}: minimum_charge", True),
    )


def _tiers(table: object, where: str) -> dict[str, tuple[Tier, ...]]:
    if not isinstance(table, dict):
        raise RateCardError(f"{where}: must be a table of lists by currency")
    tiers = {}
    for name, steps in table.items():
        _check_currency(name, where)
        if not isinstance(steps, list) or not steps:
            raise RateCardError(f"{where}.{name}: must be a list of at least one {{ up_to, price }}")
        tiers[name] = tuple(_tier(step, f"{where}.{name}[{number}]") for number, step in enumerate(steps, 1))
        _check_steps(tiers[name], f"{where}.{name}")
    return tiers


def _tier(step: object, where: str) -> Tier:
    if not isinstance(step, dict) or not set(step) <= {"up_to", "price"} or "price" not in step:
        raise RateCardError(f'{where}: write {{ up_to = "1000", price = "0.036" }}, the last without up_to')
    up_to = step.get("up_to")
    return Tier(None if up_to is None else _number(up_to, f"{where}.up_to"), _number(step["price"], f"{where}.price"))


def _check_steps(steps: Sequence[Tier], where: str) -> None:
    if steps[-1].up_to is not None:
        raise RateCardError(f"{where}: the last tier must have no up_to: it prices all further credits")
    bounds = [step.up_to for step in steps[:-1]]
    if None in bounds:
        raise RateCardError(f"{where}: only the last tier may have no up_to")
    for lower, upper in pairwise([Decimal(0), *(bound for bound in bounds if bound is not None)]):
        if upper <= lower:
            raise RateCardError(f"{where}: each up_to must be above the one before it")


def _check_currency(name: str, where: str) -> None:
    try:
        if parse_currency(name) != name:
            raise InputError(f"{name!r}: write currencies in lower case")
    except InputError as error:
        raise RateCardError(f"{where}: {error}") from None


def _by_currency(table: object, where: str, may_be_empty: bool = False) -> dict[str, Decimal]:
    numbers = _numbers(table, where, may_be_empty=may_be_empty)
    for name in numbers:
        _check_currency(name, where)
    return numbers


def _numbers(table: object, where: str, *, may_be_empty: bool = False) -> dict[str, Decimal]:
    if not isinstance(table, dict) or not (table or may_be_empty):
        raise RateCardError(f"{where}: must be a table with at least one entry")
    for name in table:
        if not name or not name.isprintable() or name != name.strip():
            raise RateCardError(f"{where}: {name!r} is not a name")
        if isinstance(table[name], dict):
            raise RateCardError(f"{where}: {_dotted(name, table[name])}")
    return {name: _number(value, f"{where}.{name}") for name, value in table.items()}


def _dotted(name: str, value: object) -> str:
    """Explain a table in place of a number: TOML reads an unquoted `gpu.a100` as the key `a100` of the table `gpu`."""
    while isinstance(value, dict) and value:
        inner, value = next(iter(value.items()))
        name = f"{name}.{inner}"
    return f'a name with a dot needs quotes: write "{name}" = "..."'


def _number(value: object, where: str) -> Decimal:
    if not isinstance(value, str):
        raise RateCardError(f'{where}: write the number as a string, e.g. "0.036", so that it stays exact')
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise RateCardError(f"{where}: {_short(value)} is not a number: write digits with an optional decimal point")
    if len(match[1].lstrip("0")) > 9:
        raise RateCardError(f"{where}: {_short(value)} must be from 0 to 999999999")
    if len(match[2] or "") > 12:
        raise RateCardError(f"{where}: {_short(value)} has more than 12 decimals")
    return Decimal(value)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
