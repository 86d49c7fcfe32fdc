"""Shots at the webhook: the bytes to send on one connection, and the acceptable answers."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

PATH = "/stripe/webhook"
SECRET = "whsec_campaign_c0ffee"
OLD_SECRET = "whsec_campaign_0ld"
ACCOUNT = "acct_ours"
CANARY = "CANARY-7f3a"
"""Part of the requests; must never appear in an answer or a log."""

CLOSED = "closed"
"""The connection was closed without an answer."""
REFUSED = frozenset({"400"})
IGNORED = frozenset({"200 ignored"})
NOT_HEEDED = REFUSED | IGNORED
BROKEN = frozenset({"400", "408", CLOSED})


@dataclass(frozen=True)
class Shot:
    """Chunks to write one by one, `pause` seconds apart. `right` are the acceptable answers. With `ends`, the sending
    side of the connection is closed if no answer has arrived."""

    chunks: tuple[bytes, ...]
    right: frozenset[str] = REFUSED
    pause: float = 0.0
    ends: bool = False


Make = Callable[[Random], Shot]


def family_random(seed: int, family: str, number: int) -> Random:
    """Return the random source of one shot, determined by seed, family and number."""
    return Random(f"{seed}/{family}/{number}")


def sign(body: bytes, secret: str = SECRET, *, age: int = 0, at: int | None = None) -> str:
    """Return a `Stripe-Signature` header as Stripe makes it, for any bytes."""
    stamp = int(time.time()) - age if at is None else at
    return f"t={stamp},v1={digest(body, secret, stamp)}"


def digest(body: bytes, secret: str, stamp: int) -> str:
    """Return the hex digest of scheme v1."""
    return hmac.new(secret.encode(), b"%d." % stamp + body, sha256).hexdigest()


def head(*lines: str | bytes, start: str = f"POST {PATH} HTTP/1.1") -> bytes:
    """Return the head of a request that closes its connection."""
    texts = [start, "Host: billing.example.com", f"X-Probe: {CANARY}", "Connection: close", *lines, "", ""]
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode("latin-1") for line in texts)


def post(body: bytes, signature: str | bytes | None, *more: str | bytes) -> bytes:
    """Return a whole request. `signature` is the header's value; with None the header is left out."""
    name = b"Stripe-Signature: "
    signed = [] if signature is None else [name + (signature if isinstance(signature, bytes) else signature.encode())]
    return head(*signed, f"Content-Length: {len(body)}", *more) + body


def chunked(body: bytes, size: int) -> bytes:
    """Return the body in HTTP chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def event(random: Random, kind: str = "invoice.paid", **changes: Any) -> dict[str, Any]:
    """Return an event that would wake the workflow of one of our invoices if it were accepted."""
    number = random.getrandbits(48)
    subject = {
        "id": f"in_{number:x}",
        "object": "invoice",
        "customer": "cus_1",
        "description": CANARY,
        "metadata": {"perdure_invoice": f"2022-05/team:attacked-{number:x}/period"},
    }
    return {
        "id": f"evt_{number:x}",
        "object": "event",
        "account": ACCOUNT,
        "created": 1654041600,
        "data": {"object": subject},
        "livemode": True,
        "type": kind,
    } | changes


def foreign(random: Random, **changes: Any) -> dict[str, Any]:
    """Return a well-formed event about another product's invoice."""
    named = {"id": f"in_{random.getrandbits(48):x}", "object": "invoice", "customer": "cus_1"}
    subject = {**named, "metadata": {}, "note": CANARY}
    return event(random, data={"object": subject}) | changes


def encode(payload: object) -> bytes:
    """Encode as JSON, lone surrogates as escapes."""
    return json.dumps(payload).encode()
