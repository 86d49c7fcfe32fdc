"""Only a body that Stripe has just signed with one of our secrets is processed."""

from __future__ import annotations

import json
import time

import pytest
import stripe
from aiohttp import ClientSession
from temporalio.client import Client

from starter.webhook.handler import PATH, Webhook
from starter.webhook.signature import TOLERANCE_SECONDS, SignatureError, verify_signature
from tests.webhook.receiver import (
    NEW_SECRET,
    OLD_SECRET,
    Receiver,
    exists,
    invoice_event,
    new_key,
    serving,
    signature,
)


@pytest.mark.parametrize("secret", [OLD_SECRET, NEW_SECRET])
async def test_while_a_secret_is_rotated_both_are_good(receiver: Receiver, secret: str) -> None:
    key = new_key()
    body = json.dumps(invoice_event(key))
    assert await receiver.post(body, {"Stripe-Signature": signature(body, secret)}) == 200
    assert await exists(receiver.client, f"invoice/{key}")


async def test_stripe_signs_with_both_secrets_in_one_header(receiver: Receiver) -> None:
    body = json.dumps(invoice_event(new_key()))
    stamp, other = signature(body, "whsec_unknown").split(",")
    good = signature(body).split(",")[1]
    assert await receiver.post(body, {"Stripe-Signature": f"{stamp},{other},{good},v0=ignored"}) == 200


async def test_one_secret(temporal_client: Client, session: ClientSession) -> None:
    async with serving(Webhook(temporal_client, [NEW_SECRET]), session, temporal_client) as receiver:
        body = json.dumps(invoice_event(new_key()))
        assert await receiver.post(body, {"Stripe-Signature": signature(body)}) == 200
        assert await receiver.post(body, {"Stripe-Signature": signature(body, OLD_SECRET)}) == 400


async def test_without_a_secret_nothing_is_good(temporal_client: Client, session: ClientSession) -> None:
    async with serving(Webhook(temporal_client, []), session, temporal_client) as receiver:
        assert await receiver.deliver(invoice_event(new_key())) == 400


def _forged(body: str) -> list[str]:
    good = signature(body)
    stamp, scheme = good.split(",")
    digest = scheme.removeprefix("v1=")
    return [
        "",
        "nonsense",
        stamp,
        scheme,
        signature(body, "whsec_unknown"),
        signature(body + " "),
        f"{stamp},v0={digest}",
        f"{stamp},v1={digest[:-1]}",
        f"{stamp},v1={digest.upper()}",
        f"{stamp},v1=",
        f"{stamp},v1",
        f"{stamp},v1=\xff\xfe",
        f"{stamp},v1=" + "\u00e9" * 64,
        f"{stamp},{stamp},{scheme}",
        f"t=1,{good}",
        f"{good},t=1",
        f"t=,{scheme}",
        f"t=-{stamp[2:]},{scheme}",
        f"t=+{stamp[2:]},{scheme}",
        f"t=\u0661,{scheme}",
        f"t={stamp[2:]}.0,{scheme}",
        f"t={'9' * 5000},{scheme}",
        f"t=1_0,{scheme}",
        f"t=NaN,{scheme}",
        f"T={stamp[2:]},{scheme}",
        f"t={int(stamp[2:]) + 1},{scheme}",
    ]


@pytest.mark.parametrize("number", range(len(_forged("{}"))))
async def test_forged_headers_are_refused(receiver: Receiver, number: int) -> None:
    key = new_key()
    body = json.dumps(invoice_event(key))
    refused = await receiver.count("refused")
    assert await receiver.post(body, {"Stripe-Signature": _forged(body)[number]}) == 400
    assert await receiver.count("refused") == refused + 1
    assert not await exists(receiver.client, f"invoice/{key}")


async def test_no_header_or_two_are_refused(receiver: Receiver) -> None:
    body = json.dumps(invoice_event(new_key()))
    good = signature(body)
    assert await receiver.post(body, {}) == 400
    for second in (good, "", "t=1,v1=0"):
        for pair in ((good, second), (second, good)):
            assert await _post_two(receiver, body, pair) == b"HTTP/1.1 400"
    assert await _post_two(receiver, body, (good,)) == b"HTTP/1.1 200"


async def _post_two(receiver: Receiver, body: str, values: tuple[str, ...]) -> bytes:
    """Sent over a raw connection, because aiohttp's client sends a header only once."""
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"Stripe-Signature: {value}" for value in values]
    return (await receiver.raw("\r\n".join([*lines, "", body]).encode()))[:12]


@pytest.mark.parametrize("age", [TOLERANCE_SECONDS - 120, -TOLERANCE_SECONDS + 10])
@pytest.mark.waits
async def test_clocks_may_differ_a_little(receiver: Receiver, age: int) -> None:
    body = json.dumps(invoice_event(new_key()))
    assert await receiver.post(body, {"Stripe-Signature": signature(body, age=age)}) == 200


@pytest.mark.parametrize("age", [TOLERANCE_SECONDS + 5, -TOLERANCE_SECONDS - 120, 86_400 * 365, -86_400 * 365])
@pytest.mark.waits
async def test_what_was_recorded_or_signed_ahead_is_refused(receiver: Receiver, age: int) -> None:
    body = json.dumps(invoice_event(new_key()))
    assert await receiver.post(body, {"Stripe-Signature": signature(body, age=age)}) == 400


@pytest.mark.parametrize(("age", "good"), [(300, True), (300.1, False), (-300, True), (-300.1, False)])
def test_the_tolerance_is_exact(age: float, good: bool) -> None:
    now = float(int(time.time()))
    header = stripe.WebhookSignature.generate_signature_header("{}", NEW_SECRET, int(now))
    if good:
        verify_signature(b"{}", header, [NEW_SECRET], now + age)
    else:
        with pytest.raises(SignatureError, match=r"signed 300 s (ago|in the future)"):
            verify_signature(b"{}", header, [NEW_SECRET], now + age)


async def test_a_changed_body_is_refused(receiver: Receiver) -> None:
    key = new_key()
    body = json.dumps(invoice_event(key))
    header = {"Stripe-Signature": signature(body)}
    for changed in (body.replace("2022-05", "2022-06"), body[:-1], body + "\n", "\ufeff" + body, ""):
        assert await receiver.post(changed, header) == 400
    assert not await exists(receiver.client, f"invoice/{key}")


async def test_what_is_not_utf8_is_refused(receiver: Receiver) -> None:
    body = json.dumps(invoice_event(new_key()))
    for raw in (b"\xff" + body.encode(), body.encode("utf-16"), b"\xed\xa0\x80"):
        assert await receiver.post(raw, {"Stripe-Signature": signature(body)}) == 400
