"""`accounts import` and `accounts send` bring details of customers to Stripe; the dry run says what is lacking."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import CommandResult, Perdure
from tests.support.system import System
from tests.support.usage import one_day

COLUMNS = (
    "attribution_id,currency,stripe_customer_id,name,email,address_line1,address_city,address_postal_code,"
    "address_country,tax_id"
)
ACME = "acme,usd,,Acme GmbH,billing@acme.example,Hauptstr. 1,Berlin,10117,de,eu_vat:DE123456789"


async def load(perdure: Perdure, *rows: str) -> CommandResult:
    (perdure.cwd / "accounts.csv").write_text("\n".join((COLUMNS, *rows)) + "\n")
    return await perdure("accounts", "import", "accounts.csv", "--json")


async def of_account(system: System, attribution_id: str) -> dict[str, Any]:
    """Return the account's customer, which alone names it."""
    page = await system.stripe.v1.customers.list_async({"limit": 100, "expand": ["data.tax_ids"]})
    named = [c.to_dict() for c in page.data if c.metadata.to_dict().get("attribution_id") == attribution_id]
    assert len(named) == 1
    return dict(named[0])


async def test_customers_are_created_with_their_details_and_changed_when_those_change(
    system: System, perdure: Perdure
) -> None:
    done = await load(perdure, ACME)
    assert done.document["in_stripe"] == {"sent": 1, "refused": [], "stopped": None}
    assert "PAYLOAD_KEYS" in done.err
    made = await of_account(system, "acme")
    assert (made["name"], made["email"]) == ("Acme GmbH", "billing@acme.example")
    assert {name: value for name, value in made["address"].items() if value} == {
        "line1": "Hauptstr. 1",
        "city": "Berlin",
        "postal_code": "10117",
        "country": "DE",
    }
    assert [(each["type"], each["value"]) for each in made["tax_ids"]["data"]] == [("eu_vat", "DE123456789")]

    # A person changes in Stripe what the import does not: it stays.
    await system.stripe.v1.customers.update_async(made["id"], {"email": "cfo@acme.example"})
    assert "in_stripe" not in (await load(perdure, ACME)).document
    changed = await load(perdure, ACME.replace("Acme GmbH", "Acme AG").replace("billing@acme.example", ""))
    assert changed.document["in_stripe"]["sent"] == 1
    now = await of_account(system, "acme")
    assert (now["name"], now["email"]) == ("Acme AG", "cfo@acme.example")
    await load(perdure, ACME.replace("billing@", "office@"))
    assert (await of_account(system, "acme"))["email"] == "office@acme.example"
    assert len((await of_account(system, "acme"))["tax_ids"]["data"]) == 1


async def test_details_that_stripe_refuses_are_named_and_not_quoted(system: System, perdure: Perdure) -> None:
    failed = await load(
        perdure, ACME.replace("eu_vat:DE123456789", "us_ein:abcdef"), ACME.replace("acme,", "other,", 1)
    )
    document = failed.document_of_failure
    assert document["stored"] == 2
    assert document["in_stripe"]["sent"] == 1
    (refused,) = document["in_stripe"]["refused"]
    assert refused["attribution_id"] == "acme"
    assert "tax_id_invalid" in refused["reason"]
    assert "abcdef" not in failed.out + failed.err
    await load(perdure, ACME)
    assert (await perdure("accounts", "send")).out == "Sent to Stripe: the details of 0 customers.\n"


async def test_without_a_stripe_worker_the_details_wait(system: System, perdure: Perdure) -> None:
    temporal, perdure.settings["TEMPORAL_ADDRESS"] = perdure.settings["TEMPORAL_ADDRESS"], "127.0.0.1:1"
    stopped = await load(perdure, ACME)
    assert "accounts send" in stopped.err
    assert stopped.document_of_failure["stored"] == 1
    sent = await perdure("accounts", "send", "--json", TEMPORAL_ADDRESS=temporal)
    assert sent.document == {"sent": 1, "refused": [], "stopped": None}
    assert (await of_account(system, "acme"))["email"] == "billing@acme.example"


async def test_a_file_without_details_needs_no_temporal(system: System, perdure: Perdure) -> None:
    (perdure.cwd / "accounts.csv").write_text("attribution_id,currency\nacme,usd\n")
    done = await perdure("accounts", "import", "accounts.csv", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a,usd,,,nobody,,,,,", "email"),
        ("a,usd,,,,Street 1,,,,", "address_country"),
        ("a,usd,,,,,,,Germany,", "address_country"),
        ("a,usd,,,,,,,,DE123456789", "tax_id"),
    ],
)
async def test_malformed_details_are_refused_without_being_quoted(
    perdure: Perdure, database_url: str, row: str, column: str
) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    refused = await load(perdure, row)
    (fault,) = refused.document_of_failure["refused"]
    assert fault["column"] == column
    assert "nobody" not in fault["reason"]


async def test_the_dry_run_says_whose_email_is_lacking(system: System, perdure: Perdure) -> None:
    (perdure.cwd / "rates.toml").write_text(system.settings.rate_card.read_text())
    perdure.settings["COLLECTION_METHOD"] = "send_invoice"
    with_mail = await system.stripe.v1.customers.create_async({"email": "a@example.com"})
    await one_day(system, "team:mail", customer=with_mail.id)
    await one_day(system, "team:none")
    shown = await perdure("period", "run", "2022-05", "--dry-run", "--json")
    outcomes = {each["attribution_id"]: (each["outcome"], each["reason"]) for each in shown.document}
    assert outcomes["team:mail"] == ("invoice", "")
    assert outcomes["team:none"][0] == "blocked"
    assert "COLLECTION_METHOD=send_invoice" in outcomes["team:none"][1]
    unreachable = await perdure("period", "run", "2022-05", "--dry-run", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert "Stripe was not asked" in unreachable.err
