"""Details of customers in a file of accounts: their form is checked, and nothing shows them."""

from __future__ import annotations

import pytest

from billing.usage.details import CustomerDetails
from billing.usage.parsing import parse_account
from billing.usage.rows import AccountRow

ACCOUNT = {
    "attribution_id": "acme",
    "currency": "usd",
    "name": "Acme GmbH",
    "email": "billing@acme.example",
    "address_line1": "Hauptstr. 1",
    "address_country": "DE",
    "tax_id": "eu_vat:DE123456789",
}


def test_details_are_taken_in_one_form() -> None:
    given = {"tax_id": "EU_VAT: DE123456789", "address_country": "de", "address_state": "", "email": " a@b.example "}
    row = parse_account(7, ACCOUNT | given)
    assert isinstance(row, AccountRow)
    address = {"line1": "Hauptstr. 1", "country": "DE"}
    assert row.details == CustomerDetails("Acme GmbH", "a@b.example", address, "eu_vat:DE123456789")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", "nobody"),
        ("email", "a b@example.com"),
        ("address_country", "Germany"),
        ("address_country", ""),
        ("tax_id", "DE4711"),
        ("tax_id", "gb_vat:"),
    ],
)
def test_details_of_another_form_are_refused_and_not_quoted(column: str, value: str) -> None:
    refused = parse_account(7, ACCOUNT | {column: value})
    assert isinstance(refused, list)
    (fault,) = refused
    assert fault.column == column
    assert not value or value not in fault.reason


def test_no_repr_shows_details() -> None:
    shown = repr(parse_account(7, ACCOUNT))
    assert not any(text in shown for text in ("Acme", "billing@", "Hauptstr", "DE123456789"))
