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
from billing.invoice.policy import ChargeOn, Finalization
from billing.money import format_amount, parse_amount
from settings import Settings
from starter.cli import output
from storage.accounts import accounts, policies
from storage.postgres.database import Database

_DEFAULT = "default"
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
        parsed: dict[str, Any] = {
            name: None if value == _DEFAULT else _parse(name, value, account.currency) for name, value in given.items()
        }
        own = replace(own, **parsed)
        await policies.write_policy(db, attribution_id, own)
    now = own.over(policy_of(settings), account.currency)
    return {
        "attribution_id": attribution_id,
        "currency": account.currency,
        "charge_on": str(now.charge_on),
        "finalization": str(now.finalization),
        "limit_amount": now.limits.amount.get(account.currency),
        "limit_multiple": _text(now.limits.multiple),
        "limit_carried_share": _text(now.limits.carried_share),
        "included_credits": _text(own.included_credits),
        "own": sorted(name for name in changes if getattr(own, name) is not None),
    }


def print_policy(document: Mapping[str, Any]) -> None:
    """Print the policies in force, and whether each comes from the account, the deployment or the rate card."""
    amount, currency, own = document["limit_amount"], document["currency"], document["own"]
    share, multiple, credits = (document[n] for n in ("limit_carried_share", "limit_multiple", "included_credits"))
    values = {
        "charge_on": "an invoice of its own" if document["charge_on"] == "own" else "its subscription's invoice",
        "finalization": document["finalization"],
        "limit_amount": "no limit" if amount is None else format_amount(amount, currency),
        "limit_multiple": f"{multiple} times the previous period" if multiple else "no limit",
        "limit_carried_share": f"{share} of the amount" if share else "no limit",
        "included_credits": f"{credits} a month" if credits else "as on the rate card",
    }
    table = output.make_table(f"Policy of {document['attribution_id']}", "Setting", "Value", "Source")
    for name, value in values.items():
        default = "rate card" if name == "included_credits" else "deployment"
        output.add_row(table, name.replace("_", "-"), value, "account" if name in own else default)
    output.print_table(table)


def _parse(name: str, value: str, currency: str) -> object:
    option = f"--{name.replace('_', '-')}"
    try:
        if name == "charge_on":
            return _one_of(ChargeOn, value)
        if name == "finalization":
            return _one_of(Finalization, value)
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
