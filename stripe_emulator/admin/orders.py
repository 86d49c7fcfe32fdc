"""Read and check the JSON orders to the admin routes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from aiohttp import web

from stripe_emulator.config import Behaviour, RateLimits
from stripe_emulator.http.permissions import PERMISSIONS
from stripe_emulator.params.versions import VERSIONS

_FLAGS = {
    "subscription_invoices",
    "search_available",
    "search_permitted",
    "customers_have_cards",
    "tax_inclusive",
    "tax_settings_active",
}

Answer: TypeAlias = "dict[str, Any]"


class AdminError(ValueError):
    """A malformed admin request; the message says why."""


async def read_order(request: web.Request) -> Answer:
    """Return the JSON object of a POST, or the query of any other request."""
    if request.method != "POST":
        return dict(request.query)
    raw = await request.read()
    try:
        order = json.loads(raw) if raw else {}
    except ValueError as error:
        raise AdminError(f"the body is not JSON: {error}") from None
    if not isinstance(order, dict):
        raise AdminError("the body is not a JSON object")
    return order


def only(order: Answer, *known: str) -> None:
    """Refuse unknown names."""
    if unknown := set(order) - set(known):
        raise AdminError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")


def number(value: Any, name: str) -> float:
    """Return the value as a number.

    Raises:
        AdminError: it is not a number.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise AdminError(f"{name}: {value!r} is not a number") from None


def instant_of(value: Any) -> datetime:
    """Parse an ISO 8601 time; without a zone it is UTC."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise AdminError(f"now: {value!r} is not an ISO 8601 time") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def rule_id(text: str | None) -> int | None:
    """Return the number of a rule from the path, or None if the path names none."""
    if text is not None and not text.isdigit():
        raise AdminError(f"{text!r} is not the number of a rule")
    return None if text is None else int(text)


def limits_of(value: Any) -> RateLimits:
    """Return rate limits, given by name or as numbers."""
    try:
        return RateLimits.named(value) if isinstance(value, str) else RateLimits(**(value or {}))
    except (KeyError, TypeError):
        raise AdminError("rate_limits must be off, live, sandbox, or {overall, endpoint, search}") from None


def whole(value: Any, name: str, least: int = 1) -> int:
    """Return the value if it is a whole number of at least `least`.

    Raises:
        AdminError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise AdminError(f"{name}: {value!r} is not a whole number of at least {least}")
    return value


def percent(value: Any) -> Decimal:
    """Return the value as a percentage, for `tax_percent`.

    Raises:
        AdminError: it is not a number from 0 to 100.
    """
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not (found.is_finite() and 0 <= found <= 100):
        raise AdminError(f"tax_percent: {value!r} is not a number from 0 to 100")
    return found


def percents(value: Any) -> tuple[Decimal, ...]:
    """Return the value as percentages, for `more_tax_percents`.

    Raises:
        AdminError: it is not a list of numbers from 0 to 100.
    """
    if not isinstance(value, list):
        raise AdminError(f"more_tax_percents: {value!r} is not a list of numbers from 0 to 100")
    return tuple(percent(each) for each in value)


def api_version(value: Any) -> str:
    """Return the value if it is an API version that the emulator renders.

    Raises:
        AdminError: it is not.
    """
    if value not in VERSIONS:
        raise AdminError(f"api_version: {value!r} is not one of {', '.join(VERSIONS)}")
    return str(value)


def permissions(value: Any) -> tuple[str, ...]:
    """Return the value if it is a list of permissions of restricted keys.

    Raises:
        AdminError: it is not.
    """
    if not isinstance(value, list) or set(map(str, value)) - PERMISSIONS:
        known = ", ".join(sorted(PERMISSIONS))
        raise AdminError(f"denied: {value!r} is not a list of permissions, which are {known}")
    return tuple(value)


def changed_behaviour(behaviour: Behaviour, order: Answer) -> Behaviour:
    """Return the behavior with the changes of an order to the settings.

    Raises:
        AdminError: a value is invalid.
    """
    changes: dict[str, Any] = {}
    for name in set(order) & _FLAGS:
        if not isinstance(order[name], bool):
            raise AdminError(f"{name} must be true or false")
        changes[name] = order[name]
    if "unpaid_after_attempts" in order:
        attempts = order["unpaid_after_attempts"]
        changes["unpaid_after_attempts"] = None if attempts is None else whole(attempts, "unpaid_after_attempts")
    if "denied" in order:
        changes["denied"] = permissions(order["denied"])
    if "tax_percent" in order:
        changes["tax_percent"] = percent(order["tax_percent"])
    if "more_tax_percents" in order:
        changes["more_tax_percents"] = percents(order["more_tax_percents"])
    if "api_version" in order:
        changes["api_version"] = api_version(order["api_version"])
    return replace(behaviour, **changes)
