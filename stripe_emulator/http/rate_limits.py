"""Stripe's limits on requests per second."""

from __future__ import annotations

import time
from collections import deque

from stripe_emulator.config import RateLimits
from stripe_emulator.errors import StripeError


class RateLimiter:
    """Counts the requests of the last second: in total, per endpoint, and for search."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._seen: dict[str, deque[float]] = {}

    def _full(self, name: str, limit: int | None, now: float) -> bool:
        if limit is None:
            return False
        seen = self._seen.setdefault(name, deque())
        while seen and seen[0] <= now - 1:
            seen.popleft()
        return len(seen) >= limit

    def check(self, endpoint: str) -> None:
        """Count a request, or refuse it; refused requests do not count.

        Raises:
            StripeError: 429, with the limit that was hit in `Stripe-Rate-Limited-Reason`.
        """
        limits = self.limits
        if limits == RateLimits():
            return
        now = time.monotonic()
        own = limits.search if endpoint.endswith("/search") else limits.endpoint
        if self._full("", limits.overall, now):
            raise too_many("global-rate")
        if self._full(endpoint, own, now):
            raise too_many("endpoint-rate")
        for name, limit in (("", limits.overall), (endpoint, own)):
            if limit is not None:
                self._seen[name].append(now)


def too_many(reason: str) -> StripeError:
    """Return the error for a request over a limit."""
    return StripeError(
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        status=429,
        headers={"Stripe-Rate-Limited-Reason": reason},
    )
