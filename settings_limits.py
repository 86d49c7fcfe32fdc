"""The values of limits, amounts, factors and shares, each of which can be `off`; lengths of time; metadata keys."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

OFF: Literal["off"] = "off"
"""The value of a limit that does not apply. For some limits, leaving the setting empty means a default instead."""

_AMOUNTS = re.compile(r"([a-z]{3}=[0-9]{1,15}(\.[0-9]{1,6})?)([ ,]+[a-z]{3}=[0-9]{1,15}(\.[0-9]{1,6})?)*")


def _amounts(text: str) -> str:
    if text != OFF and not _AMOUNTS.fullmatch(text):
        raise ValueError(f"{text!r} is not a list of amounts: write usd=10000 eur=9000, in major units, or off")
    return text


def _number(value: object) -> Decimal | None:
    """Return the value as a finite number from 0 on. Returns None if it is something else."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None


def _factor(value: object) -> Decimal | Literal["off"]:
    number = _number(value)
    if value == OFF:
        return OFF
    if not number:
        raise ValueError(f"{value!r} is not a number above 0: write one, such as 3, or off")
    return number


def _share(value: object) -> Decimal | Literal["off"]:
    number = _number(value)
    if value == OFF:
        return OFF
    if number is None or number > 1:
        raise ValueError(f"{value!r} is not a share from 0 to 1: write one, such as 0.5, or off")
    return number


def _instant(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+", value.strip()):
        raise ValueError(f"{value!r} is not an instant: write one such as 2022-05-01T00:00:00Z")
    return value


_ACCOUNT_KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}")  # Stripe allows 40 characters, and no brackets
_OURS = ("billing_period", "report_id")


def _account_key(text: str) -> str:
    if not _ACCOUNT_KEY.fullmatch(text) or text.startswith("perdure_") or text in _OURS:
        raise ValueError(
            f"{text!r} cannot be a metadata key: write up to 40 letters, digits, dots, dashes and underscores, and "
            "none of Perdure's own keys"
        )
    return text


AccountKey = Annotated[str, AfterValidator(_account_key)]
"""A key of Stripe's metadata that names an account."""
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""An instant with its zone. A plain number is refused: it would be read as seconds since 1970."""
Amounts = Annotated[str, AfterValidator(_amounts)]
"""Amounts in major units by currency, as a person writes them."""
Factor = Annotated[Decimal | Literal["off"], BeforeValidator(_factor)]
Share = Annotated[Decimal | Literal["off"], BeforeValidator(_share)]


def age(text: str) -> timedelta:
    """Parse a length of time as a person writes it: `90m`, `12h`, `7d`.

    Raises:
        ValueError: `text` has another form, or the length is zero.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is not a length of time: write 90m, 12h or 7d")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})


def _age(text: str) -> str:
    age(text)
    return text


Age = Annotated[str, AfterValidator(_age)]
"""A length of time, as a person writes it."""
AgeOrOff = Annotated[str, AfterValidator(lambda text: text if text == OFF else _age(text))]
"""A length of time, or off."""
