"""Details of customers by the API: what is taken, who may send them, and in which order they count."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from datetime import datetime
from typing import Any

import pytest

from activities.sources.sending import send_some
from billing.errors import CustomerRefusedError, StripeNotAskedError
from billing.usage.arriving_details import ArrivingDetails, parse_details
from billing.usage.details import CustomerDetails
from billing.usage.rows import AccountRow
from contracts.messages.customers import SendCustomer
from starter.api.handler import ACCOUNTS, ApiLimits
from starter.cli.main import app
from storage.accounts.accounts import upsert_accounts
from storage.accounts.details import UnsentDetails, record_sent, unsent_details_of
from storage.arrivals.details import accept_details, store_all
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from storage.postgres.roles import OPERATOR
from tests.api.sending import NOW
from tests.api.serving import Answered, Sender, new_token, running
from tests.storage.usage import fetch, may
from tests.support.roles import as_role

JSON = {"Content-Type": "application/json"}
ACME = {
    "attribution_id": "acme",
    "updated_at": "2022-05-01T00:00:00Z",
    "name": "Acme GmbH",
    "email": "billing@acme.example",
    "address_line1": "Hauptstr. 1",
    "address_country": "de",
    "tax_id": "eu_vat:DE123456789",
}


def details(at: datetime, account: str = "acme", /, **given: object) -> ArrivingDetails:
    """Return a row as the API takes it from the sender `crm`."""
    parsed = parse_details(0, {"attribution_id": account, "updated_at": at.isoformat(), **given}, "crm", NOW)
    assert isinstance(parsed, ArrivingDetails), parsed
    return parsed


async def send(sender: Sender, *rows: object) -> Answered:
    return await sender.post(ACCOUNTS, {"accounts": list(rows)}, **JSON)


async def add(db: Database, *accounts: str, name: str | None = None) -> None:
    rows = [AccountRow(1, account, None, "usd", details=CustomerDetails(name=name)) for account in accounts]
    assert await upsert_accounts(db, rows) == []


async def store(ingest: Database, *, waiting: bool = False) -> list[tuple[int, list[str]]]:
    return [(batch.rows, list(batch.waiting)) async for batch in store_all(ingest, waiting=waiting)]


async def known(db: Database, account: str = "acme") -> tuple[object, ...]:
    query = "SELECT name, email, address, tax_id, unsent FROM account WHERE attribution_id = '{}'"
    return tuple((await fetch(db, query.format(account)))[0])


async def faults(db: Database) -> list[tuple[str, str]]:
    return [tuple(row) for row in await fetch(db, "SELECT subject, reason FROM source_fault ORDER BY 1")]


async def test_details_become_those_of_the_account(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    async with running(api, await new_token(db, scope=TokenScope.ACCOUNTS)) as sender:
        answer = await send(sender, ACME)
        assert (answer.status, answer.json["accepted"]) == (202, 1)
        assert answer.json["results"] == [{"index": 0, "id": "acme", "status": "accepted"}]
        assert (await send(sender, ACME)).json["accepted"] == 1
    assert await store(ingest) == [(2, [])]
    address = {"line1": "Hauptstr. 1", "country": "DE"}
    everything = ["address", "email", "name", "tax_id"]
    assert await known(db) == ("Acme GmbH", "billing@acme.example", address, "eu_vat:DE123456789", everything)
    assert await fetch(db, "SELECT 1 FROM pending_details") == []
    assert [tuple(row) for row in await fetch(db, "SELECT attribution_id, source FROM details_to_send")] == [
        ("acme", "api:crm")
    ]


async def test_whatever_the_order_the_latest_value_of_each_field_counts(
    db: Database, api: Database, ingest: Database
) -> None:
    rows = [
        details(may(1), name="One", email="one@example.com"),
        details(may(2), name="Two"),
        details(may(3), email="three@example.com", tax_id="eu_vat:DE3"),
        details(may(3), email="also-three@example.com"),
        details(may(2), address_country="FR", address_city="Paris"),
        details(may(1), address_country="DE"),
    ]
    for number, order in enumerate(itertools.islice(itertools.permutations(rows), 0, None, 41)):
        account = f"a{number}"
        await add(db, account)
        for each in order:
            moved = ArrivingDetails(account, each.at, each.source, each.details)
            await accept_details(api, [moved, moved])
            if number % 2:
                await store(ingest)
        await store(ingest)
        found = await known(db, account)
        assert found[:4] == ("Two", "three@example.com", {"city": "Paris", "country": "FR"}, "eu_vat:DE3"), order


async def test_an_import_counts_as_of_its_own_time(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="By the API", email="api@example.com")])
    await store(ingest)
    await add(db, "acme", name="By the import")
    await accept_details(api, [details(may(2), name="Older than the import", email="newer@example.com")])
    await store(ingest)
    assert (await known(db))[:2] == ("By the import", "newer@example.com")


async def test_details_wait_for_their_account(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "other")
    await accept_details(api, [details(may(1), email="a@example.com"), details(may(1), "other", name="Other")])
    assert await store(ingest) == [(1, ["acme"])]
    assert [subject for subject, _ in await faults(db)] == ["account acme"]
    assert await store(ingest) == []
    assert await store(ingest, waiting=True) == []
    await add(db, "acme")
    assert await store(ingest) == []  # it is looked for once a minute
    assert await store(ingest, waiting=True) == [(1, [])]
    assert (await known(db))[1] == "a@example.com"
    assert await faults(db) == []


@pytest.mark.parametrize("scope", [TokenScope.INGEST, TokenScope.OPERATE])
async def test_a_token_for_usage_sends_no_details(db: Database, api: Database, scope: TokenScope) -> None:
    async with running(api, await new_token(db, scope=scope)) as sender:
        answer = await send(sender, ACME)
        assert (answer.status, "scope accounts" in answer.json["detail"]) == (403, True)
    assert await fetch(db, "SELECT 1 FROM pending_details") == []


async def test_a_token_for_details_sends_no_usage(db: Database, api: Database) -> None:
    async with running(api, await new_token(db, scope=TokenScope.ACCOUNTS)) as sender:
        assert (await sender.events()).status == 403
        assert (await sender.rows()).status == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "secret-nobody"}, "email"),
        ({"address_country": "Secretland"}, "address_country"),
        ({"address_country": None}, "address_country"),
        ({"tax_id": "secret"}, "tax_id"),
        ({"updated_at": None}, "updated_at"),
        ({"updated_at": "2999-01-01T00:00:00Z"}, "updated_at"),
        ({"attribution_id": "a/b"}, "attribution_id"),
        ({"currency": "usd"}, "currency"),
        ({"stripe_customer_id": "cus_1"}, "stripe_customer_id"),
        ({"secret": 1}, "secret"),
        (dict.fromkeys(set(ACME) - {"attribution_id", "updated_at"}), "row"),
    ],
)
async def test_malformed_details_are_refused_and_others_are_kept(
    db: Database, api: Database, caplog: pytest.LogCaptureFixture, change: dict[str, Any], field: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(api, await new_token(db, scope=TokenScope.ACCOUNTS)) as sender:
        answer = await send(sender, {**ACME, **change}, ACME)
        assert (answer.status, answer.json["refused"], answer.json["accepted"]) == (202, 1, 1)
        assert [fault["field"] for fault in answer.json["results"][0]["faults"]] == [field]
        assert (await send(sender, {**ACME, **change})).status == 422
    assert "secret" not in caplog.text.lower().replace(field, "")
    assert "acme.example" not in caplog.text


async def test_sizes_and_rates(db: Database, api: Database) -> None:
    token = await new_token(db, scope=TokenScope.ACCOUNTS)
    async with running(api, token, ApiLimits(per_second=1)) as sender:
        assert (await send(sender, *[ACME] * 1001)).status == 413
        assert (await send(sender, *[ACME] * 1000)).status == 202
        assert (await send(sender, ACME)).status == 429
        assert (await sender.post(ACCOUNTS, b"{}", **{"Content-Type": "text/csv"})).status == 415
        assert (await sender.post(ACCOUNTS, b'{"accounts": 1}', **JSON)).status == 422
        _, text = await sender.get("/v1/openapi.json")
        assert "sendAccounts" in json.dumps(json.loads(text)["paths"][ACCOUNTS])


class Stripe:
    """Takes details, or refuses them."""

    def __init__(self) -> None:
        self.orders: list[SendCustomer] = []
        self.error: Exception | None = None

    async def __call__(self, order: SendCustomer) -> None:
        self.orders.append(order)
        if self.error is not None:
            raise self.error


async def test_what_is_sent_is_what_changed_and_a_refusal_waits_for_a_change(
    db: Database, api: Database, ingest: Database, operator: Database
) -> None:
    stripe = Stripe()
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme", tax_id="us_ein:abc")])
    await store(ingest)
    stripe.error = StripeNotAskedError("away")
    with pytest.raises(StripeNotAskedError):
        await send_some(ingest, stripe)
    stripe.error = CustomerRefusedError("Stripe refuses the customer's tax_id (tax_id_invalid)")
    await send_some(ingest, stripe)
    assert await send_some(ingest, stripe) == 0
    assert await faults(db) == [("account acme", "Stripe refuses the customer's tax_id (tax_id_invalid)")]
    assert (await known(db))[4] == ["name", "tax_id"]

    stripe.error = None
    await accept_details(api, [details(may(2), tax_id="us_ein:12-3456789")])
    await store(ingest)
    assert await send_some(ingest, stripe) == 1
    assert (stripe.orders[-1].name, stripe.orders[-1].tax_id) == ("Acme", "us_ein:12-3456789")
    assert (await known(db))[4] == []
    assert await faults(db) == []
    await accept_details(api, [details(may(3), name="Acme")])
    await store(ingest)
    assert await send_some(ingest, stripe) == 0


async def test_what_changes_while_it_is_sent_is_sent_again(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme", email="a@example.com")])
    await store(ingest)

    async def slow(order: SendCustomer) -> None:
        await accept_details(api, [details(may(2), name="Acme AG")])
        await store(ingest)

    await send_some(ingest, slow)
    assert (await known(db))[4] == ["name"]
    stripe = Stripe()
    assert await send_some(ingest, stripe) == 1
    assert (stripe.orders[0].name, stripe.orders[0].email) == ("Acme AG", None)


async def test_what_a_person_has_sent_is_sent_no_more(
    db: Database, api: Database, ingest: Database, operator: Database
) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme")])
    await store(ingest)
    stripe = Stripe()
    stripe.error = CustomerRefusedError("no")
    await send_some(ingest, stripe)
    unsent = await unsent_details_of(operator, "acme")
    assert isinstance(unsent, UnsentDetails)
    assert await record_sent(operator, unsent, "cus_1", email=False, address=None)
    stripe.orders.clear()
    await send_some(ingest, stripe)
    assert (stripe.orders, await faults(db)) == ([], [])
    assert await fetch(db, "SELECT 1 FROM details_to_send") == []


async def test_what_waits_is_listed_by_the_token(
    db: Database, api: Database, ingest: Database, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    await accept_details(api, [details(may(1), email="a@example.com")])
    await store(ingest)
    monkeypatch.setenv("DATABASE_URL", as_role(url, OPERATOR))
    assert await asyncio.to_thread(_list, "api:crm") == 0
    shown = capsys.readouterr().out
    assert "account acme: details: there is no such account yet" in shown
    assert "a@example.com" not in shown
    assert await asyncio.to_thread(_list, "api:other") == 0
    assert capsys.readouterr().out == "Nothing that api:other has sent is refused.\n"


def _list(name: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(["sources", "list", name])
    return int(ended.value.code or 0)
