"""A request that is no delivery, or a delivery that is too large, too slow or broken, costs little and stops nobody."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession
from temporalio.client import Client

from starter.webhook.handler import MOST_BYTES, PATH, Webhook, WebhookLimits
from tests.support.until import GIVE_UP_SECONDS, until
from tests.webhook.receiver import NEW_SECRET, Receiver, event, exists, invoice_event, new_key, serving, signature

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()


def _padded(length: int) -> str:
    """Return one of our deliveries with this many bytes."""
    body = json.dumps(invoice_event(new_key()))
    return body + " " * (length - len(body))


async def _chunks(body: str) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536].encode()


async def test_the_largest_body(receiver: Receiver) -> None:
    assert MOST_BYTES == 512 * 1024
    assert await receiver.post(_padded(MOST_BYTES)) == 200
    assert await receiver.post(_padded(MOST_BYTES + 1)) == 413


async def test_the_largest_body_without_a_length(receiver: Receiver) -> None:
    for length, status in ((MOST_BYTES, 200), (MOST_BYTES + 1, 413), (8 * MOST_BYTES, 413)):
        body = _padded(length)
        headers = {"Stripe-Signature": signature(body)}
        async with receiver.session.post(receiver.url, data=_chunks(body), headers=headers) as response:
            assert response.status == status


async def test_a_length_that_is_too_large_is_refused_before_the_body_comes(receiver: Receiver) -> None:
    answer = await receiver.raw(HEAD + b"Content-Length: 100000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_compressed_body_is_not_blown_up(receiver: Receiver) -> None:
    body = json.dumps(invoice_event(new_key()))
    bomb = gzip.compress(b" " * 50_000_000)
    for packed in (gzip.compress(body.encode()), bomb):
        headers = {"Stripe-Signature": signature(body), "Content-Encoding": "gzip"}
        assert await receiver.post(packed, headers) == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods(receiver: Receiver, method: str) -> None:
    async with receiver.session.request(method, receiver.url) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_other_paths(receiver: Receiver) -> None:
    assert (await receiver.get("/"))[0] == 404
    assert (await receiver.get("/stripe/webhook/../../etc/passwd"))[0] == 404


async def test_headers_of_absurd_size(receiver: Receiver) -> None:
    for headers in (
        b"Stripe-Signature: t=1," + b"v1=0," * 100_000,
        b"X-%d: y\r\n" * 2000,
    ):
        answer = await receiver.raw(HEAD + headers + b"\r\n\r\n")
        assert answer[:12] in (b"HTTP/1.0 400", b"")  # refused, or cut off while still sending
    assert (await receiver.get("/healthz"))[0] == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",  # TLS
        b"GET\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        HEAD + b"Stripe-Signature : t=1\r\n\r\n",
        HEAD + b"Stripe-Signature: t=1\r\n v1=folded\r\n\r\n",
        HEAD + b"X: a\0b\r\n\r\n",
    ],
)
async def test_what_is_no_http(receiver: Receiver, request_bytes: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert (await receiver.raw(request_bytes)).startswith(b"HTTP/1.0 400")
    assert [record.levelname for record in caplog.records] in (["INFO"], [])  # TLS is not logged at all
    assert not any("\n" in record.getMessage() or record.exc_info for record in caplog.records)
    assert (await receiver.get("/healthz"))[0] == 200


@pytest.mark.waits
async def test_a_body_that_breaks_off(receiver: Receiver) -> None:
    before = await receiver.count("refused")
    reader, writer = await asyncio.open_connection(receiver.host, receiver.port)
    writer.write(HEAD + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"  # it waits for the body
    writer.write(b"half")
    writer.close()

    async def counted() -> bool:
        return await receiver.count("refused") == before + 1

    await until(counted)


@pytest.mark.waits
async def test_a_slow_body_is_given_up(receiver: Receiver) -> None:
    answer = await receiver.raw(HEAD + b"Content-Length: 100\r\n\r\n", b"a", b"b", b"c", pause=0.2)
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.waits
async def test_slow_headers_are_given_up(temporal_client: Client, session: ClientSession) -> None:
    webhook = Webhook(temporal_client, [NEW_SECRET], WebhookLimits(idle_seconds=0.5))
    async with serving(webhook, session, temporal_client) as impatient:
        slow = impatient.raw(HEAD + b"X: ", b"a", b"b", b"c", pause=0.1), impatient.raw()
        assert list(await asyncio.gather(*slow)) == [b"", b""]


@pytest.mark.waits
async def test_slow_clients_stop_nobody(temporal_client: Client, session: ClientSession) -> None:
    webhook = Webhook(temporal_client, [NEW_SECRET], WebhookLimits(body_seconds=GIVE_UP_SECONDS))
    async with serving(webhook, session, temporal_client) as patient, AsyncExitStack() as stack:
        slow = []
        for _ in range(100):
            reader, writer = await asyncio.open_connection(patient.host, patient.port)
            stack.callback(writer.close)
            writer.write(HEAD + b"Content-Length: 100\r\n\r\n")
            slow.append(asyncio.create_task(reader.read()))
        assert await patient.deliver(invoice_event(new_key())) == 200
        assert not any(each.done() for each in slow)  # the server still waits for them
        for each in slow:
            each.cancel()


def _nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


NO_EVENTS = [
    "",
    "hello",
    "{",
    "null",
    "7",
    '"event"',
    "[]",
    "{}",
    "NaN",
    "9" * 5000,
    "[" * 100_000,
    _nested(50_000),
    '{"object": "event"}',
    json.dumps(event("invoice.paid", {}, object="charge")),
    json.dumps(event("invoice.paid", {}, object=None)),
    json.dumps(event("invoice.paid", {}, data=None)),
    json.dumps(event("invoice.paid", {}, data=[1])),
    json.dumps(event("invoice.paid", {}, data={"object": "in_1"})),
    json.dumps(event("invoice.paid", {}, id=7)),
    json.dumps(event("invoice.paid", {}, id="")),
    json.dumps(event("invoice.paid", {}, id="evt_\n1 root: all is well")),
    json.dumps(event("invoice.paid", {}, id="evt_\ud800")),
    json.dumps(event("invoice.paid", {}, id="e" * 300)),
    json.dumps(event("invoice.paid", {}, type=["invoice.paid"])),
    json.dumps(event("invoice.paid", {}, created="now")),
    json.dumps(event("invoice.paid", {}, created=True)),
    json.dumps(event("invoice.paid", {}, created=1.5)),
    json.dumps(event("invoice.paid", {}, created=float("nan"))),
    json.dumps(event("invoice.paid", {}, created=float("inf"))),
    json.dumps(event("invoice.paid", {}, created=10**12)),
    json.dumps(event("invoice.paid", {}, created=10**30)),
    json.dumps(event("invoice.paid", {}, created=-(10**30))),
    json.dumps(event("invoice.paid", {})).replace("1654041600", "9" * 5000),
    json.dumps(event("invoice.paid", {})).replace("1654041600", "1e400"),
]


@pytest.mark.parametrize("number", range(len(NO_EVENTS)))
async def test_signed_but_no_event(receiver: Receiver, number: int) -> None:
    malformed, signalled = await receiver.count("malformed"), await receiver.count("signalled")
    assert await receiver.post(NO_EVENTS[number]) == 400
    assert (await receiver.count("malformed"), await receiver.count("signalled")) == (malformed + 1, signalled)


@pytest.mark.parametrize(
    "odd",
    [{"livemode": "yes"}, {"api_version": None}, {"request": [1]}, {"pending_webhooks": 10**40}, {"account": {}}],
)
async def test_what_is_not_needed_may_be_odd(receiver: Receiver, odd: dict[str, Any]) -> None:
    key = new_key()
    assert await receiver.deliver(invoice_event(key, **odd)) == 200
    assert await exists(receiver.client, f"invoice/{key}")
