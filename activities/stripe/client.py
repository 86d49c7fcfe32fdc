"""The setup of the Stripe SDK: no retries of its own (Temporal retries), one HTTP client per loop, calls counted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import stripe
from stripe import AIOHTTPClient, APIConnectionError, RequestOptions, StripeClient
from temporalio import activity

_REQUEST_TIMEOUT_SECONDS = 30.0
_LONGEST_KEY = 255
CALLS_METRIC = "perdure_stripe_calls"
_TOO_MANY, _CONFLICT, _SERVER_FAULT, _REFUSED = 429, 409, 500, 400
_CREDENTIALS = (401, 403)


class CallResult(StrEnum):
    """What a call to Stripe resulted in."""

    DONE = "done"
    REFUSED = "refused"
    """Stripe would refuse the same request again."""
    CREDENTIALS = "credentials"
    """The API key is refused, or lacks a right."""
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    FAILED = "failed"
    """A fault of Stripe's."""
    UNREACHABLE = "unreachable"


def result_of(status: int) -> CallResult:
    """Return the result that an HTTP status stands for."""
    if status in _CREDENTIALS:
        return CallResult.CREDENTIALS
    if status == _CONFLICT:
        return CallResult.CONFLICT
    if status == _TOO_MANY:
        return CallResult.RATE_LIMITED
    if status >= _SERVER_FAULT:
        return CallResult.FAILED
    return CallResult.REFUSED if status >= _REFUSED else CallResult.DONE


class CountingClient(AIOHTTPClient):
    """Counts each call that an activity makes, in the metrics of its worker."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Make the call.

        Raises:
            APIConnectionError: Stripe cannot be reached, or does not answer in time.
        """
        try:
            body, status, answered = await super().request_async(method, url, headers, post_data)
        except APIConnectionError:
            _count(CallResult.UNREACHABLE)
            raise
        _count(result_of(status))
        return body, status, answered


def _count(result: CallResult) -> None:
    if activity.in_activity():
        counter = activity.metric_meter().create_counter(CALLS_METRIC, "Calls to Stripe, by outcome")
        counter.add(1, {"outcome": str(result)})


def make_stripe_client(api_key: str, api_base: str | None = None) -> StripeClient:
    """Return a client for the running event loop; close it with `close_stripe_client`."""
    stripe.enable_telemetry = False
    return StripeClient(
        api_key,
        http_client=CountingClient(timeout=_REQUEST_TIMEOUT_SECONDS),
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
