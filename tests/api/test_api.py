"""The API over HTTP, with the role that it has: from a token to what is known of an instance; and each refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.sources.draining import drain_forever
from starter.api import tokens as api_tokens
from starter.api.content import BATCHED, STRUCTURED
from starter.api.handler import MOST_BYTES, ApiLimits
from storage.arrivals.tokens import TokenScope, add_token, make_secret, revoke_token
from storage.postgres.database import Database
from tests.api.sending import fold_everything, segments
from tests.api.serving import Sender, cloud_event, new_token, running
from tests.storage.usage import execute, fetch, may
from tests.support.until import until

STARTED = {"attribution_id": "team:a", "class": "xl", "Units": 2}


@pytest.fixture
async def sender(db: Database, operator: Database, api: Database) -> AsyncIterator[Sender]:
    async with running(api, await new_token(operator)) as found:
        yield found


async def pending(db: Database) -> int:
    return len(await fetch(db, "SELECT 1 FROM pending_fact"))


async def test_an_event_becomes_known(db: Database, ingest: Database, sender: Sender) -> None:
    answered = await sender.event(cloud_event("started", may(2), data=STARTED, id="a"))
    assert (answered.status, answered.json) == (
        202,
        {"accepted": 1, "known": 0, "refused": 0, "results": [{"index": 0, "id": "a", "status": "accepted"}]},
    )
    await sender.event(cloud_event("stopped", may(3)))
    await fold_everything(ingest)
    assert await segments(db) == [("i", may(2), may(3), "team:a", "xl", 2)]


async def test_what_is_accepted_is_folded_while_it_arrives(db: Database, ingest: Database, sender: Sender) -> None:
    draining = asyncio.create_task(drain_forever(ingest))
    try:
        await sender.event(cloud_event("started", may(2), data=STARTED))

        async def known() -> bool:
            return bool(await segments(db))

        await until(known)
    finally:
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)


async def test_binary_mode(db: Database, ingest: Database, sender: Sender) -> None:
    event = cloud_event("started", may(2), "a b/ü")
    headers = {f"ce-{name}": value for name, value in event.items()} | {"ce-subject": "a%20b/%C3%BC"}
    answered = await sender.post(
        "/v1/events", b'{"account": "team:a"}', **headers, **{"Content-Type": "application/json"}
    )
    assert answered.status == 202, answered.json
    await fold_everything(ingest)
    assert [each[:4] for each in await segments(db)] == [("a b/ü", may(2), None, "team:a")]


async def test_a_bad_event_does_not_cost_the_good_ones(db: Database, sender: Sender) -> None:
    bad = cloud_event("started", may(4), time="yesterday", data={"quantity": -1})
    answered = await sender.events(cloud_event("started", may(2)), bad, cloud_event("started", may(3), "j"))
    assert answered.status == 202
    assert {name: answered.json[name] for name in ("accepted", "known", "refused")} == {
        "accepted": 2,
        "known": 0,
        "refused": 1,
    }
    assert [fault["field"] for fault in answered.json["results"][1]["faults"]] == ["time", "data.quantity"]
    assert await pending(db) == 2


BAD_EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"specversion": "0.3"}, "specversion"),
    ({"id": ""}, "id"),
    ({"id": "\u0000"}, "id"),
    ({"id": "x" * 256}, "id"),
    ({"source": "api:crm"}, "source"),
    ({"type": "instance.exploded"}, "type"),
    ({"subject": " "}, "subject"),
    ({"time": "2022-05-01T00:00:00"}, "time"),
    ({"time": "1970-01-01T00:00:00Z"}, "time"),
    ({"time": "2999-01-01T00:00:00Z"}, "time"),
    ({"time": 1651363200}, "time"),
    ({"data": []}, "data"),
    ({"data": "{}"}, "data"),
    ({"data": {"clas": "xl"}}, "data.clas"),
    ({"data": {"started_time": "2022-05-01T00:00:00Z"}}, "data.started_time"),
    ({"data": {"class": "a", "workspace_class": "b"}}, "data"),
    ({"data": {"quantity": 0}}, "data.quantity"),
    ({"data": {"quantity": True}}, "data.quantity"),
    ({"data": {"workspace_id": {"deep": [1]}}}, "data.workspace_id"),
    ({"data": {"attribution_id": "a\u202eb"}}, "data.attribution_id"),
    ({"data": {"creation_time": "2999-01-01T00:00:00Z"}}, "data.creation_time"),
    ({"data_base64": "e30="}, "data_base64"),
    ({"datacontenttype": "text/xml"}, "datacontenttype"),
    ({"type": "instance.alive", "data": {"class": "xl"}}, "data"),
    ({"type": "instance.changed"}, "data"),
]


@pytest.mark.parametrize(
    ("changes", "field"), BAD_EVENTS, ids=[f"{field}-{n}" for n, (_, field) in enumerate(BAD_EVENTS)]
)
async def test_each_fault_is_named(db: Database, sender: Sender, changes: dict[str, Any], field: str) -> None:
    answered = await sender.event({**cloud_event("started", may(2)), **changes})
    assert (answered.status, answered.headers["Content-Type"].partition(";")[0]) == (422, "application/problem+json")
    assert [(fault["index"], fault["field"]) for fault in answered.json["faults"]] == [(0, field)], answered.json
    assert await pending(db) == 0


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "time"])
async def test_a_missing_attribute_is_named(sender: Sender, name: str) -> None:
    event = cloud_event("started", may(2))
    del event[name]
    answered = await sender.event(event)
    assert (answered.status, [fault["field"] for fault in answered.json["faults"]]) == (422, [name])


async def test_rows(db: Database, ingest: Database, sender: Sender) -> None:
    row = {"id": "i", "updated_at": may(9).isoformat(), "account": "team:a", "started": may(2).isoformat()}
    untimed = {"id": "j", "account": "team:a"}
    answered = await sender.rows(row, untimed, row, "no row")  # type: ignore[arg-type]
    assert [each["status"] for each in answered.json["results"]] == ["accepted", "refused", "known", "refused"]
    assert [each["faults"][0]["field"] for each in answered.json["results"] if "faults" in each] == [
        "updated_at",
        "row",
    ]
    assert (await sender.rows(untimed)).status == 422
    assert (await sender.rows(row)).json["known"] == 1
    await fold_everything(ingest)
    assert [tuple(each) for each in await fetch(db, "SELECT source FROM usage_fact")] == [("api:crm",)]
    assert [each[:4] for each in await segments(db)] == [("i", may(2), None, "team:a")]


async def test_a_correction_needs_the_scope_operate(
    db: Database, operator: Database, ingest: Database, sender: Sender
) -> None:
    row = {"id": "i", "updated_at": may(9).isoformat(), "account": "team:b", "started": may(2).isoformat()}
    answered = await sender.rows(row, correct=True)
    assert (answered.status, await pending(db)) == (403, 0)
    await sender.event(cloud_event("started", may(3), data=STARTED))
    sender.token = await new_token(operator, "support", TokenScope.OPERATE)
    assert (await sender.rows(row, correct=True)).status == 202
    await fold_everything(ingest)
    assert await segments(db) == [("i", may(2), None, "team:b", None, 1)]


async def test_a_correction_has_the_account_and_the_start(db: Database, operator: Database, sender: Sender) -> None:
    """It replaces all that is known: without its account, the instance would have none."""
    sender.token = await new_token(operator, "fixer", TokenScope.OPERATE)
    row = {"id": "i", "updated_at": may(5).isoformat(), "stopped": may(4).isoformat()}
    answered = await sender.rows(row, correct=True)
    assert [fault["field"] for fault in answered.json["faults"]] == ["attribution_id", "started_time"]
    assert await pending(db) == 0
    assert (await sender.rows(row)).status == 202


async def test_a_token_is_needed(db: Database, operator: Database, sender: Sender) -> None:
    event = cloud_event("started", may(2))
    good = sender.token
    for header in ("", good, f"Basic {good}", f"Bearer {good[:-1]}", f"Bearer {make_secret()}", "Bearer", "Bearer é"):
        answered = await sender.event(event, Authorization=header)
        assert (answered.status, answered.headers["WWW-Authenticate"]) == (401, 'Bearer realm="perdure"')
    assert (await sender.event(event, Authorization=f"bearer {good}")).status == 202
    await execute(db, "UPDATE api_token SET created_at = now() - interval '2d', expires_at = now() - interval '1d'")
    sender.token = await new_token(operator, "other")
    assert (await sender.event(event)).json["known"] == 1


async def test_a_revoked_or_expired_token_is_refused(
    db: Database, operator: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = cloud_event("started", may(2))
    assert (await sender.event(event)).status == 202
    monkeypatch.setattr(api_tokens, "FRESH_SECONDS", 0)  # no need to wait for it
    await execute(db, "UPDATE api_token SET expires_at = now() + interval '1h'")
    assert (await sender.event(event)).status == 202
    await execute(db, "UPDATE api_token SET expires_at = now() - interval '1s'")
    assert (await sender.event(event)).status == 401
    await execute(db, "UPDATE api_token SET expires_at = NULL")
    assert (await sender.event(event)).status == 202
    await revoke_token(operator, "crm")
    assert (await sender.event(event)).status == 401
    assert not await add_token(operator, "crm", make_secret(), TokenScope.INGEST, by="tests", expires_at=None)


async def test_sizes_and_types(db: Database, sender: Sender) -> None:
    event = json.dumps(cloud_event("started", may(2))).encode()
    structured = {"Content-Type": STRUCTURED}
    cases = [
        (b" " * (MOST_BYTES + 1), structured, 413),
        (json.dumps([{}] * 1001).encode(), {"Content-Type": BATCHED}, 413),
        (event, {"Content-Type": "text/plain"}, 415),
        (event, {"Content-Type": "application/json"}, 415),
        (event, {"Content-Type": f"{STRUCTURED}; charset=latin-1"}, 415),
        (event, {"Content-Encoding": "gzip", **structured}, 415),
        (event[:-1], structured, 400),
        (b"", structured, 400),
        (b"\xff", structured, 400),
        (b"[" * 100_000, structured, 400),
        (b'{"id": NaN}', structured, 400),
        (b"[]", structured, 422),
        (b"null", structured, 422),
        (b"{}", {"Content-Type": BATCHED}, 422),
        (b"[1]", {"Content-Type": BATCHED}, 422),
        (event, {"Content-Type": "application/json", "ce-specversion": "%FF"}, 400),
    ]
    for body, headers, status in cases:
        answered = await sender.post("/v1/events", body, **headers)
        assert (answered.status, answered.json["status"]) == (status, status), (body[:20], headers, answered.json)
    assert (await sender.events()).json == {"accepted": 0, "known": 0, "refused": 0, "results": []}
    assert (await sender.post("/v1/instances", b"{}", **{"Content-Type": "application/json"})).status == 422
    assert (await sender.post("/v2/events", event, **structured)).status == 404
    async with sender.session.put(f"{sender.url}/v1/events") as answered_put:
        assert (answered_put.status, answered_put.headers["Allow"]) == (405, "POST")
    assert await pending(db) == 0


async def test_too_many_events_a_second(operator: Database, api: Database, db: Database) -> None:
    async with running(api, await new_token(operator), ApiLimits(per_second=10)) as sender:
        many = [cloud_event("started", may(2)) for _ in range(1000)]
        assert (await sender.events(*many)).status == 202
        answered = await sender.events(*many[:50])
        assert answered.status == 429
        assert 1 <= int(answered.headers["Retry-After"]) <= 5
        sender.token = await new_token(operator, "other")
        assert (await sender.events(*many[:50])).status == 202


async def test_without_its_database_nothing_is_accepted(operator: Database, db: Database) -> None:
    away = Database("postgresql://perdure_api:x@127.0.0.1:1/perdure")
    async with running(away, await new_token(operator)) as sender:
        answered = await sender.event(cloud_event("started", may(2)))
        assert (answered.status, answered.headers["Retry-After"]) == (503, "5")
        assert (await sender.get("/readyz"))[0] == 503
        assert (await sender.get("/healthz"))[0] == 200


async def test_pages(sender: Sender) -> None:
    assert (await sender.get("/readyz"))[0] == 200
    await sender.event(cloud_event("started", may(2)))
    await sender.event({})
    assert await sender.metric('perdure_api_items_total{outcome="accepted"}') == 1
    assert await sender.metric('perdure_api_items_total{outcome="refused"}') == 1
    assert await sender.metric('perdure_api_requests_total{status="422"}') == 1


@pytest.mark.parametrize("path", ["events", "rows", "request"])
async def test_many_names_are_one_fault_and_hold_up_nobody(sender: Sender, path: str) -> None:
    """A request of 1 MiB has room for 100,000 names; naming each would take the process seconds."""
    names = {f"n{number}": 0 for number in range(60_000)}
    if path == "events":
        answered = await sender.event(cloud_event("started", may(2), data=names))
        assert [fault["field"] for fault in answered.json["faults"]] == ["data"]
        assert "60000 columns; the maximum is 50" in answered.json["faults"][0]["reason"]
    elif path == "rows":
        answered = await sender.rows({"id": "i", "updated_at": may(2).isoformat(), **names})
        assert answered.json["faults"][0]["field"] == "data"
    else:
        answered = await sender.rows(**names)
    assert answered.status == 422
    assert len(answered.json["faults"]) <= 50
