"""The setup of the Stripe SDK: no retries of its own (Temporal retries), one HTTP client per event loop."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import AIOHTTPClient, RequestOptions, StripeClient

_REQUEST_TIMEOUT_SECONDS = 30.0
_LONGEST_KEY = 255


def make_stripe_client(api_key: str, api_base: str | None = None) -> StripeClient:
    """Return a client for the running event loop; close it with `close_stripe_client`."""
    stripe.enable_telemetry = False
    return StripeClient(
        api_key,
        http_client=AIOHTTPClient(timeout=_REQUEST_TIMEOUT_SECONDS),
        base_addresses={"api": api_base} if api_base else {},
        max_network_retries=0,
    )


async def close_stripe_client(client: StripeClient) -> None:
    """Close the client's connections."""
    http_client = client._requestor._client
    if http_client is not None:
        await http_client.close_async()  # type: ignore[no-untyped-call]


def keyed(*parts: str) -> RequestOptions:
    """Return request options with an idempotency key of business identity only: no run id, attempt or clock.

    A key that is longer than Stripe accepts (long ids, several failures in a row) ends in its digest.
    """
    key = "perdure:" + ":".join(parts)
    if len(key) > _LONGEST_KEY:
        digest = hashlib.sha256(key.encode()).hexdigest()
        key = f"{key[: _LONGEST_KEY - len(digest) - 1]}~{digest}"
    return {"idempotency_key": key}


def as_dict(found: stripe.StripeObject) -> dict[str, Any]:
    """Return a Stripe object as plain data."""
    return found.to_dict()


def metadata_of(found: dict[str, Any]) -> dict[str, str]:
    """Return an object's metadata."""
    return found.get("metadata") or {}


def instant(seconds: int | None) -> datetime | None:
    """Convert Stripe's Unix time to an aware instant in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
