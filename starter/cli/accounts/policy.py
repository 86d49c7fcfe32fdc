"""One account's policies: changes checked and stored, and the policies in force shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from activities.postgres.scopes import policy_of
from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.invoice.policy import AccountLimit, AccountPolicy, ChargeOn, Finalization, FreeTime, Policy
from billing.money import format_amount, parse_amount
from settings import Settings
from starter.cli import output
from storage.accounts import accounts, policies
from storage.postgres.database import Database

_DEFAULT = "default"
_OFF = "off"
_LIMITS = {f"limit_{limit}": limit for limit in AccountLimit}
_MOST = Decimal(10**9)
_E = TypeVar("_E", bound=StrEnum)


async def change_policy(
    db: Database, settings: Settings, attribution_id: str, changes: Mapping[str, str | None]
) -> dict[str, object]:
    """Store the given changes, and return the policies in force for the account as a JSON document.

    Raises:
        InputError: there is no such account, or a value is malformed. Nothing was changed.
    """
    account = await accounts.get_account(db, parse_attribution_id(attribution_id))
    if account is None:
        raise InputError(
            f"there is no account {attribution_id}: create it with `perdure accounts import` or `accounts sync`"
        )
    own = await policies.read_policy(db, attribution_id)
    given = {name: value for name, value in changes.items() if value is not None}
    if given:
        own = _changed(own, given, account.currency)
        await policies.write_policy(db, attribution_id, own)
    return _document(attribution_id, account.currency, own, own.over(policy_of(settings), account.currency))


def _changed(own: AccountPolicy, given: Mapping[str, str], currency: str) -> AccountPolicy:
    parsed: dict[str, Any] = {
        name: None if value in _words(name) else _parse(name, value, currency) for name, value in given.items()
    }
    changed = {_LIMITS[name] for name in given if name in _LIMITS}
    off = {_LIMITS[name] for name, value in given.items() if value in _words(name) - {_DEFAULT}}
    return replace(own, **parsed, limits_off=own.limits_off - changed | off)


def _words(name: str) -> set[str]:
    """Return the values of an option that are no value of the setting."""
    return {_DEFAULT, _OFF} if name in _LIMITS else {_DEFAULT}


def _document(attribution_id: str, currency: str, own: AccountPolicy, now: Policy) -> dict[str, object]:
    names = ("charge_on", "finalization", *_LIMITS, "included_credits", "trial_usage", "paused_usage")
    off = {name for name, limit in _LIMITS.items() if limit in own.limits_off}
    return {
        "attribution_id": attribution_id,
        "currency": currency,
        "charge_on": str(now.charge_on),
        "finalization": str(now.finalization),
        "limit_amount": now.limits.amount.get(currency),
        "limit_multiple": _text(now.limits.multiple),
        "limit_carried_share": _text(now.limits.carried_share),
        "included_credits": _text(own.included_credits),
        "trial_usage": str(now.trial_usage),
        "paused_usage": str(now.paused_usage),
        "own": sorted(name for name in names if name in off or getattr(own, name) is not None),
        "defaults": {
            "daily_multiple": _text(now.defaults.daily_multiple),
            "carried_share": _text(now.defaults.carried_share),
            "first_invoice": _text(now.defaults.first_invoice),
        },
    }


def print_policy(document: Mapping[str, Any]) -> None:
    """Print the policies in force, and whether each comes from the account, the deployment or the rate card."""
    amount, currency, own = document["limit_amount"], document["currency"], document["own"]
    defaults = document["defaults"]
    share, multiple, credits = (document[n] for n in ("limit_carried_share", "limit_multiple", "included_credits"))
    values = {
        "charge_on": "an invoice of its own" if document["charge_on"] == "own" else "its subscription's invoice",
        "finalization": document["finalization"],
        "limit_amount": "no limit" if amount is None else format_amount(amount, currency),
        "limit_multiple": _limit(
            multiple, defaults["daily_multiple"], "times the previous period", "times the previous period per day"
        ),
        "limit_carried_share": _limit(share, defaults["carried_share"], "of the amount", "of the amount"),
        "included_credits": f"{credits} a month" if credits else "as on the rate card",
        **{
            name: "excluded" if document[name] == FreeTime.EXCLUDE else "charged"
            for name in ("trial_usage", "paused_usage")
        },
    }
    table = output.make_table(f"Policy of {document['attribution_id']}", "Setting", "Value", "Source")
    for name, value in values.items():
        default = "rate card" if name == "included_credits" else "deployment"
        output.add_row(table, name.replace("_", "-"), value, "account" if name in own else default)
    output.print_table(table)


def _limit(value: str | None, default: str | None, of: str, by_default: str) -> str:
    """Return a limit that is set, or the default in its place."""
    if value is not None:
        return f"{value} {of}"
    return "no limit" if default is None else f"{default} {by_default}, above the floor"


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


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
