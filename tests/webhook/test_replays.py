"""A recorded delivery, sent again while its signature is still valid, wakes no workflow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.webhook.handler import Webhook, WebhookLimits
from starter.webhook.replays import Replays
from starter.webhook.signature import TOLERANCE_SECONDS
from tests.support.ports import nobody_listens
from tests.webhook.receiver import NEW_SECRET, OLD_SECRET, Receiver, invoice_event, new_key, serving, signals, signature


async def _signals(receiver: Receiver, key: str) -> int:
    handle: Any = receiver.client.get_workflow_handle(f"invoice/{key}")
    return len(await signals(handle))


async def test_a_replay_is_answered_and_wakes_nobody(receiver: Receiver) -> None:
    key, before = new_key(), await receiver.count("replayed")
    body = json.dumps(invoice_event(key))
    header = signature(body)
    for _ in range(20):
        assert await receiver.post(body, {"Stripe-Signature": header}) == 200
    assert await _signals(receiver, key) == 1
    assert await receiver.count("replayed") == before + 19


async def test_a_header_written_in_another_way_is_the_same_replay(receiver: Receiver) -> None:
    key = new_key()
    body = json.dumps(invoice_event(key))
    header = signature(body)
    stamp, scheme = header.split(",")
    other = signature(body, OLD_SECRET).split(",")[1]
    for written in (
        header,
        f"{header},v0=1",
        f"{scheme},{stamp}",
        f"t=00{stamp[2:]},{scheme}",
        f"{stamp},{other},{scheme}",
    ):
        assert await receiver.post(body, {"Stripe-Signature": written}) == 200
    assert await _signals(receiver, key) == 1


@pytest.mark.waits
async def test_stripes_next_attempt_is_no_replay(receiver: Receiver) -> None:
    key = new_key()
    for age in (2, 1, 0):
        assert await receiver.deliver(invoice_event(key, id="evt_again"), age=age) == 200
    assert await _signals(receiver, key) == 3


@pytest.mark.waits
async def test_what_temporal_did_not_take_is_not_known(session: ClientSession) -> None:
    with nobody_listens() as address:
        client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True)
        async with serving(Webhook(client, [NEW_SECRET], WebhookLimits(signal_seconds=1)), session, client) as receiver:
            body = json.dumps(invoice_event(new_key()))
            header = {"Stripe-Signature": signature(body)}
            assert [await receiver.post(body, header) for _ in range(2)] == [503, 503]


def test_what_is_remembered_is_bounded_and_forgotten_when_its_signature_is_stale() -> None:
    now = 0.0
    replays = Replays(most=3, clock=lambda: now)
    for number in range(5):
        replays.remember(bytes([number]))
    assert [bytes([number]) in replays for number in range(5)] == [False, False, True, True, True]
    now = 2 * TOLERANCE_SECONDS  # dated one tolerance in the future, it is valid until then
    assert bytes([4]) in replays
    now += 2
    assert bytes([4]) not in replays
    assert len(replays) == 0


@pytest.mark.parametrize("changed", [b"{} ", b"{}\n"])
def test_another_body_is_another_delivery(changed: bytes) -> None:
    from starter.webhook.signature import verify_signature

    digests = {verify_signature(body, signature(body.decode()), [NEW_SECRET]) for body in (b"{}", changed)}
    assert len(digests) == 2
