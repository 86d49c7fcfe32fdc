"""Details of customers by the API: what is taken, who may send them, and in which order they count."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from typing import Any

import pytest

from billing.usage.arriving_details import ArrivingDetails
from starter.api.handler import ACCOUNTS, ApiLimits
from starter.cli.main import app
from storage.arrivals.details import accept_details
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.roles import OPERATOR
from tests.api.accounts import add, details, faults, known, refusing, store
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


async def send(sender: Sender, *rows: object) -> Answered:
    return await sender.post(ACCOUNTS, {"accounts": list(rows)}, **JSON)


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


async def test_a_row_that_postgres_refuses_stops_no_other(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "a", "acme", "z")
    await accept_details(api, [details(may(1), account, name="New") for account in ("a", "acme", "z")])
    async with refusing(db, "acme", "P0001"):
        await store(ingest)
    assert [(await known(db, account))[0] for account in ("a", "acme", "z")] == ["New", None, "New"]
    assert await faults(db) == [("account acme", "refused (SQLSTATE P0001)")]
    assert await fetch(db, "SELECT 1 FROM pending_details") == []


async def test_what_postgres_cannot_store_now_stays_pending(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="New")])
    async with refusing(db, "acme", "40P01"):
        with pytest.raises(DatabaseUnavailableError, match="40P01"):
            await store(ingest)
    assert await store(ingest) == [(1, [])]


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
