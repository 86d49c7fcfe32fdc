"""Stripe's webhook signatures, scheme v1: HMAC-SHA256 over the raw body, with a time tolerance in both directions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256

import stripe

TOLERANCE_SECONDS = 300


class SignatureError(Exception):
    """The request is not signed by Stripe with one of our secrets, or not within the tolerance."""


def verify_signature(body: bytes, header: str, secrets: Sequence[str], now: float | None = None) -> bytes:
    """Check the `Stripe-Signature` header against the raw body, with any of the secrets.

    Returns a digest of the signed time and body. It is the same for every replay, however its header is written.

    Stripe's SDK limits the age only in the past, so the age is checked here, in both directions.
    https://docs.stripe.com/webhooks/signature

    Raises:
        SignatureError: with a reason for the log, which never says which part of a signature is wrong.
    """
    signed_at = _timestamp(header)
    age = (time.time() if now is None else now) - signed_at
    if abs(age) > TOLERANCE_SECONDS:
        raise SignatureError(f"signed {abs(age):.0f} s {'ago' if age > 0 else 'in the future'}")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignatureError("not UTF-8") from error
    refusal = "no secret"
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, header, secret)
            return sha256(b"%d." % signed_at + body).digest()
        except stripe.SignatureVerificationError as error:
            refusal = str(error.user_message or error)
    raise SignatureError(refusal.split(".")[0][:120])


def _timestamp(header: str) -> int:
    if not header.isascii():  # the SDK's comparison raises TypeError for other text
        raise SignatureError("the Stripe-Signature header is not ASCII")
    stamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
    if len(stamps) != 1 or not (stamps[0].isdigit() and len(stamps[0]) <= 12):
        raise SignatureError("no timestamp in the Stripe-Signature header")
    return int(stamps[0])
