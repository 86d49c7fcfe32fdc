"""Stripe's SDK for Node takes the emulator for Stripe, and other libraries' checks agree with the webhook's."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha256
from hmac import new as hmac
from typing import Any

import stripe

from starter.webhook.signature import SignatureError, verify_signature
from tests.stripe_emulator.conftest import KEY, EmulatorProcess, WebhookSink
from tests.support.node import run_node

CHECKS = 39
REFUSED = "StripeSignatureVerificationError"


async def test_the_sdk_for_node(emulator: EmulatorProcess) -> None:
    await emulator.admin("POST", "settings", {"search_lag_seconds": 0, "subscription_invoices": True})
    status, out = await run_node("stripe", "sdk.js", emulator.url, KEY)
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert (status, len(lines)) == (0, CHECKS)


def ours(body: bytes, header: str, secret: str) -> bool:
    try:
        verify_signature(body, header, [secret])
    except SignatureError:
        return False
    return True


def of_python(body: bytes, header: str, secret: str) -> bool:
    try:
        stripe.Webhook.construct_event(body, header, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


async def of_node(signed: list[tuple[bytes, str, str]]) -> list[str]:
    """Return what the SDK for Node says of each body: the event's id and type, or the name of its error."""
    lines = [
        json.dumps({"body": base64.b64encode(body).decode(), "header": header, "secret": secret})
        for body, header, secret in signed
    ]
    status, out = await run_node("stripe", "signatures.js", stdin="\n".join(lines).encode())
    assert status == 0, out
    return out.splitlines()


async def deliveries(emulator: EmulatorProcess, receiver: WebhookSink) -> list[tuple[bytes, str, str]]:
    """Return body, header and secret of the deliveries of a small life, with text that is not ASCII."""
    await receiver.register(emulator)
    owner = await emulator.customer(name="Zoë Ω 🦆", metadata={"a": 'quote " and \\ and \u2028'})
    draft = await emulator.draft(1000, customer=owner.id, description="Nutzung im Mai")
    await emulator.v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    await emulator.admin("POST", "flush_webhooks", {"timeout_seconds": 30})
    return [
        (body, headers["Stripe-Signature"], receiver.secret)
        for body, headers in zip(receiver.bodies, receiver.headers, strict=True)
    ]


def signed_at(at: float, body: bytes, secret: str, scheme: str = "v1") -> str:
    """Return a header as https://docs.stripe.com/webhooks/signature describes it, made by hand."""
    return f"t={int(at)},{scheme}={hmac(secret.encode(), b'%d.' % int(at) + body, sha256).hexdigest()}"


# What is done to a delivery, so that nobody may take it.
WRONGS: dict[str, Callable[[bytes, str, str], tuple[bytes, str, str]]] = {
    "another body": lambda body, header, secret: (body.replace(b"invoice", b"invoicf"), header, secret),
    "another secret": lambda body, header, secret: (body, header, secret + "x"),
    "another time": lambda body, header, secret: (body, header.replace("t=1", "t=2", 1), secret),
    "no signature": lambda body, header, secret: (body, header.split(",")[0], secret),
    "no time": lambda body, header, secret: (body, header.split(",", 1)[1], secret),
    "an empty header": lambda body, _header, secret: (body, "", secret),
    "an old signature": lambda body, _header, secret: (body, signed_at(time.time() - 400, body, secret), secret),
    "another scheme": lambda body, _header, secret: (body, signed_at(time.time(), body, secret, "v0"), secret),
}


async def test_every_library_takes_the_deliveries(emulator: EmulatorProcess, receiver: WebhookSink) -> None:
    signed = await deliveries(emulator, receiver)
    assert len(signed) > 8
    events: list[dict[str, Any]] = [json.loads(body) for body, _, _ in signed]
    assert await of_node(signed) == [f"{event['id']} {event['type']}" for event in events]
    assert all(of_python(*one) for one in signed)
    assert all(ours(*one) for one in signed)


async def test_no_library_takes_what_was_altered(emulator: EmulatorProcess, receiver: WebhookSink) -> None:
    signed = await deliveries(emulator, receiver)
    wrong = {name: alter(*signed[-1]) for name, alter in WRONGS.items()}
    said = dict(zip(wrong, await of_node(list(wrong.values())), strict=True))
    assert said == dict.fromkeys(wrong, REFUSED)
    assert [name for name, one in wrong.items() if of_python(*one)] == []
    assert [name for name, one in wrong.items() if ours(*one)] == []


async def test_every_library_takes_either_secret_of_a_rotation(emulator: EmulatorProcess) -> None:
    body = b'{"id":"evt_1","object":"event","type":"invoice.paid"}'
    both = signed_at(time.time(), body, "whsec_old") + "," + signed_at(time.time(), body, "whsec_new").split(",")[1]
    signed = [(body, both, secret) for secret in ("whsec_old", "whsec_new", "whsec_none")]
    assert await of_node(signed) == ["evt_1 invoice.paid", "evt_1 invoice.paid", REFUSED]
    assert [of_python(*one) for one in signed] == [True, True, False]
    assert [ours(*one) for one in signed] == [True, True, False]
