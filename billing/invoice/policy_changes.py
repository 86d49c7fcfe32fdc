"""Changes of an account's policy, as a person writes them: `limit_amount` to `12.50`, `off` or `default`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from billing.errors import InputError
from billing.invoice.policy import AccountLimit, AccountPolicy, ChargeOn, Finalization, FreeTime
from billing.money import parse_amount, to_major

LIMITS = {f"limit_{limit}": limit for limit in AccountLimit}
"""The limits of an account, by the names of their settings."""
SETTINGS = ("charge_on", "finalization", *LIMITS, "included_credits", "trial_usage", "paused_usage")
"""The names of what can be changed."""
_DEFAULT = "default"
_OFF = "off"
_MOST = Decimal(10**9)
_E = TypeVar("_E", bound=StrEnum)


def in_words(changes: Mapping[str, str]) -> str:
    """Return the changes as a person reads them: `finalization approval, limit-amount 12.50`."""
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in sorted(changes.items()))


def as_written(own: AccountPolicy, currency: str) -> dict[str, str]:
    """Return every setting as a person writes it, by its name in `SETTINGS`."""
    return {name: _written(own, name, currency) for name in SETTINGS}


def changed_since(own: AccountPolicy, seen: Mapping[str, str], currency: str) -> dict[str, str]:
    """Return the settings that are no longer as a person has seen them, as they are now."""
    now = as_written(own, currency)
    return {name: now[name] for name, value in seen.items() if name in now and now[name] != value}


def changed_policy(own: AccountPolicy, given: Mapping[str, str], currency: str) -> AccountPolicy:
    """Return the policy with these values, by their names in `SETTINGS`.

    `default` restores the deployment's value, `off` turns a limit off.

    Raises:
        InputError: there is no such setting, or a value is malformed.
    """
    for name in given:
        if name not in SETTINGS:
            raise InputError(f"there is no setting {name!r}: write one of {', '.join(SETTINGS)}")
    parsed: dict[str, Any] = {
        name: None if value in _words(name) else _parse(name, value, currency) for name, value in given.items()
    }
    changed = {LIMITS[name] for name in given if name in LIMITS}
    off = {LIMITS[name] for name, value in given.items() if value in _words(name) - {_DEFAULT}}
    return replace(own, **parsed, limits_off=own.limits_off - changed | off)


def _written(own: AccountPolicy, name: str, currency: str) -> str:
    if name in LIMITS and LIMITS[name] in own.limits_off:
        return _OFF
    value = getattr(own, name)
    if value is None:
        return _DEFAULT
    if name == "limit_amount":
        return format(to_major(value, currency), "f")
    return str(value) if isinstance(value, StrEnum) else format(value, "f")


def _words(name: str) -> set[str]:
    """Return the values of an option that are no value of the setting."""
    return {_DEFAULT, _OFF} if name in LIMITS else {_DEFAULT}


def _parse(name: str, value: str, currency: str) -> object:
    option = f"--{name.replace('_', '-')}"
    try:
        if name == "charge_on":
            return _one_of(ChargeOn, value)
        if name == "finalization":
            return _one_of(Finalization, value)
        if name in ("trial_usage", "paused_usage"):
            return _one_of(FreeTime, value)
        if name == "limit_amount":
            return parse_amount(value, currency)
        number = Decimal(value)
    except InvalidOperation:
        raise InputError(f"{option} {value!r}: write a number, such as 3 or 0.5") from None
    except InputError as error:
        raise InputError(f"{option}: {error}") from None
    fault = _out_of_range(name, number)
    if fault:
        raise InputError(f"{option} {value!r}: must be {fault}")
    return number


def _out_of_range(name: str, number: Decimal) -> str:
    """Return what the number must be instead. Returns the empty text if it is valid."""
    if not number.is_finite():
        number = Decimal(-1)
    if name == "limit_carried_share":
        return "" if 0 <= number <= 1 else "from 0 to 1"
    if name == "included_credits":
        exact = 0 <= number <= _MOST and number == round(number, 6)
        return "" if exact else "0 or more, with at most 6 decimals"
    return "" if 0 < number <= _MOST else "more than 0"


def _one_of(kind: type[_E], value: str) -> _E:
    if value not in list(kind):
        raise InputError(f"{value!r}: write one of {', '.join(kind)}, or {_DEFAULT}")
    return kind(value)
