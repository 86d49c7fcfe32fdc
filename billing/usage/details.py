"""Details of a customer that a file of accounts can have: data about people, which nothing shows or logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.errors import InputError

ADDRESS_FIELDS = ("line1", "line2", "city", "state", "postal_code", "country")
"""The parts of an address, as Stripe names them."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_TAX_ID = re.compile(r"[a-z]{2}_[a-z0-9_]{2,20}:\S.{0,98}")


@dataclass(frozen=True)
class CustomerDetails:
    """The details of a customer that its invoices show. A field is None if it is not given.

    The address has `ADDRESS_FIELDS`, without empty ones. `tax_id` is `type:value`, with Stripe's name of the type.
    """

    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    address: Mapping[str, str] | None = field(default=None, repr=False)
    tax_id: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.name, self.email, self.address, self.tax_id))


NO_DETAILS = CustomerDetails()
DETAILS = ("name", "email", "address", "tax_id")
"""The fields of `CustomerDetails`."""


def parse_email(text: str) -> str:
    """Return an email address.

    Raises:
        InputError: it has no such form.
    """
    if not _EMAIL.fullmatch(text):
        raise InputError("is not an email address such as billing@example.com")
    return text


def parse_country(text: str) -> str:
    """Return the code of a country in capitals.

    Raises:
        InputError: it is not a code of two letters.
    """
    if not _COUNTRY.fullmatch(text.upper()):
        raise InputError("is not a country's code of two letters (ISO 3166), such as DE")
    return text.upper()


def parse_tax_id(text: str) -> str:
    """Return a tax id, `type:value`.

    Raises:
        InputError: it has another form.
    """
    kind, _, value = text.partition(":")
    normal = f"{kind.strip().lower()}:{value.strip()}"
    if not _TAX_ID.fullmatch(normal):
        raise InputError("is not a tax id with Stripe's name of its type, such as eu_vat:DE123456789")
    return normal
