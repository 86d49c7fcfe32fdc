"""What anyone can trigger reveals nothing and costs little: answers, log lines, questions to Temporal."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from aiohttp import ClientSession
from temporalio.client import Client

from starter.http import readiness as readiness_module
from starter.http.rate_limited_log import LINES, SparingLog
from starter.http.readiness import Readiness
from starter.webhook.handler import PATH, Webhook
from starter.webhook.readiness import reaches
from tests.support.until import GIVE_UP_SECONDS
from tests.webhook.receiver import NEW_SECRET, Receiver, event, serving

PLANTED = "planted-4711"


@pytest.mark.parametrize(
    "request_bytes",
    [
        f"GET /{PLANTED} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        f"PUT {PATH}?{PLANTED} HTTP/1.1\r\nHost: {PLANTED}\r\nConnection: close\r\n\r\n",
        f"POST {PATH} HTTP/1.1\r\nX: {PLANTED}\0\r\n\r\n",
        f"{PLANTED}\r\n\r\n",
        f"POST {PATH} HTTP/1.1\r\nStripe-Signature: t=1\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{PLANTED}",
        f"POST {PATH} HTTP/1.1\r\nContent-Length: {PLANTED}\r\n\r\n",
        f"POST {PATH} HTTP/1.1\r\nExpect: {PLANTED}\r\nConnection: close\r\n\r\n",
    ],
)
async def test_answers_and_logs_do_not_repeat_what_was_sent(
    receiver: Receiver, request_bytes: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "perdure")
    answer = (await receiver.raw(request_bytes.encode())).decode()
    assert answer.startswith("HTTP/1.")
    assert "\r\nServer: perdure\r\n" in answer
    assert not any(word in answer for word in (PLANTED, "aiohttp", "Python", "Traceback"))
    assert PLANTED not in caplog.text


@pytest.mark.waits
async def test_a_flood_is_few_lines(
    temporal_client: Client, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(Webhook(temporal_client, [NEW_SECRET]), session, temporal_client) as receiver:
        for _ in range(50):
            assert await receiver.post("{}", {"Stripe-Signature": "t=1,v1=0"}) == 400
            assert await receiver.deliver(event("invoice.paid", {}, id=7)) == 400
        assert await receiver.count("refused") == 50
    texts = [record.getMessage() for record in caplog.records if record.name == "perdure.webhook"]
    assert len([text for text in texts if text.startswith("refused a delivery")]) == LINES
    assert len([text for text in texts if text.startswith("a signed delivery is not an event")]) == LINES


def test_how_many_lines_were_left_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 1, 2, 3, 4, 61, 62])
    log = SparingLog(logging.getLogger("sparing"), lines=2, seconds=60, clock=lambda: next(times))
    for number in range(7):
        log.warning("line %d", number)
    assert [record.getMessage() for record in caplog.records] == [
        "line 0",
        "line 1",
        "line 5 (and 3 more like this)",
        "line 6",
    ]


@pytest.mark.waits
async def test_many_who_ask_are_one_question_to_temporal(
    temporal_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = 0

    async def ask() -> bool:
        nonlocal questions
        questions += 1
        return await reaches(temporal_client)

    readiness = Readiness(ask)
    monkeypatch.setattr(readiness_module, "_FRESH_SECONDS", GIVE_UP_SECONDS)
    assert await asyncio.gather(*(readiness.now() for _ in range(200))) == [True] * 200
    assert questions == 1
    monkeypatch.setattr(readiness_module, "_FRESH_SECONDS", 0)
    assert await readiness.now()
    assert questions == 2


@pytest.mark.parametrize("member", ["object", "id", "type", "livemode", "account", "data"])
async def test_nests_near_the_interpreters_limit(live: Receiver, member: str) -> None:
    """A deeply nested body that still parses does no harm where it is inspected or logged."""
    body = json.dumps(event("payout.paid", {"id": "po_1"}, livemode=True))
    nested = [f'{body[:-1]}, "{member}": {"[" * depth}{"]" * depth}}}' for depth in range(1000, 895, -3)]
    statuses = [await live.post(each) for each in nested]
    assert set(statuses) <= {200, 400}
    assert statuses[0] == 400  # beyond the limit; the first lines below it are logged
