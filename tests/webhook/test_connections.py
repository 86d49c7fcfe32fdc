"""However many clients connect, and however slowly they send or read: Stripe is served, and every wait is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack import ports
from starter.http.connections import ConnectionLimits
from starter.webhook.handler import PATH, Webhook, WebhookLimits
from tests.support.until import GIVE_UP_SECONDS, until
from tests.webhook.receiver import NEW_SECRET, Receiver, invoice_event, new_key, serving

pytestmark = pytest.mark.waits

MOST = 10
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
STRICT = WebhookLimits(connections=ConnectionLimits(most=MOST, head_seconds=0.6, request_seconds=1.2))


@pytest.fixture
async def strict(temporal_client: Client, session: ClientSession) -> AsyncIterator[Receiver]:
    """A webhook with short limits and few connections; idle ones are kept for a minute."""
    async with serving(Webhook(temporal_client, [NEW_SECRET], STRICT), session, temporal_client) as receiver:
        yield receiver


@pytest.fixture
async def small(temporal_client: Client, session: ClientSession) -> AsyncIterator[Receiver]:
    """A webhook with few connections and the default time limits."""
    limits = WebhookLimits(connections=ConnectionLimits(most=MOST))
    async with serving(Webhook(temporal_client, [NEW_SECRET], limits), session, temporal_client) as receiver:
        yield receiver


async def _ended(receiver: Receiver, why: str) -> float:
    return await receiver.metric(f'perdure_webhook_connections_ended_total{{why="{why}"}}')


@pytest.mark.parametrize("start", [b"", b"POST /", HEAD, HEAD + b"X: "])
async def test_a_head_that_does_not_come(strict: Receiver, start: bytes) -> None:
    if start:
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_trickle_for_ever(strict, start), GIVE_UP_SECONDS)
    else:
        assert await strict.raw(start) == b""
    assert await _ended(strict, "late") == 1


async def _trickle_for_ever(receiver: Receiver, start: bytes) -> None:
    """Send the head one byte at a time."""
    _, writer = await asyncio.open_connection(receiver.host, receiver.port)
    try:
        writer.write(start)
        while True:
            writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.05)
    finally:
        writer.close()


async def test_between_requests_a_connection_may_rest(strict: Receiver) -> None:
    answers = await strict.raw(GET, GET, GET[:-3], pause=1.5)  # but not within one
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert await _ended(strict, "late") == 1


async def test_answers_that_nobody_reads(strict: Receiver) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((strict.host, strict.port))
        deaf.setblocking(False)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_ask_for_ever(deaf), GIVE_UP_SECONDS)
    assert await _ended(strict, "late") == 1


async def _ask_for_ever(deaf: socket.socket) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(deaf, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)


async def _crowd(receiver: Receiver, stack: AsyncExitStack, count: int) -> list[asyncio.StreamReader]:
    """Open this many connections with an incomplete request; all are accepted before any later connection."""
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection(receiver.host, receiver.port)
        stack.callback(writer.close)
        writer.write(HEAD)
        readers.append(reader)
    return readers


async def test_a_crowd_makes_room_for_stripe(small: Receiver) -> None:
    async with AsyncExitStack() as stack:
        crowd = await _crowd(small, stack, MOST)
        assert await small.deliver(invoice_event(new_key())) == 200
        assert await _ended(small, "crowded") == 1
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(crowd[0].read(), GIVE_UP_SECONDS) == b""  # it has stalled longest


async def test_there_are_never_more_than_allowed(small: Receiver) -> None:
    async with AsyncExitStack() as stack:
        await _crowd(small, stack, 8 * MOST)
        assert 0 < await small.metric("perdure_webhook_connections") <= MOST

    async def only_this_one() -> bool:
        return await small.metric("perdure_webhook_connections") <= 1

    await until(only_this_one)


async def test_what_is_signed_is_not_crowded_out(session: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Temporal does not answer, every connection waits for it, so a new one is refused."""
    limits = WebhookLimits(signal_seconds=3, connections=ConnectionLimits(most=2))
    with ports.listen(ports.HOST) as silent:  # a client that connects there waits forever
        address = f"{ports.HOST}:{silent.getsockname()[1]}"
        client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True)
        webhook = Webhook(client, [NEW_SECRET], limits)
        trusted: list[web.Request] = []
        trust = webhook.connections.trust

        def note(request: web.Request) -> None:
            trust(request)
            trusted.append(request)

        async def both_trusted() -> bool:
            return len(trusted) == 2

        monkeypatch.setattr(webhook.connections, "trust", note)
        async with serving(webhook, session, client) as receiver:
            signed = [asyncio.create_task(receiver.deliver(invoice_event(new_key()))) for _ in range(2)]
            await until(both_trusted)
            assert await receiver.raw(GET) == b""
            assert await asyncio.gather(*signed) == [503, 503]


def test_more_connections_than_files_is_one_clear_line() -> None:
    command = f"ulimit -n 300; exec {sys.executable} -P -m starter.cli.main webhook"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "STRIPE_WEBHOOK_SECRET": NEW_SECRET,
        "WEBHOOK_PORT": str(ports.reserve()),
        "WEBHOOK_CONNECTIONS": "2000",
    }
    ran = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=False
    )
    assert ran.returncode == 2
    assert "WEBHOOK_CONNECTIONS needs 2128 open files, but only 300 are allowed: lower it" in ran.stderr
    assert "Traceback" not in ran.stderr
