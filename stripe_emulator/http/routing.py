"""Route requests to endpoints."""

from __future__ import annotations

from collections.abc import Iterable

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.errors import StripeError


class Router:
    """Finds endpoints by the segments of a path; a literal segment takes precedence over a placeholder."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
        for endpoint in endpoints:
            segments = endpoint.template.split("/")
            self._by_shape.setdefault((endpoint.method, len(segments)), []).append((segments, endpoint))
        for found in self._by_shape.values():
            found.sort(key=lambda one: one[0].count("{}"))

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
        """Return the endpoint and the ids in the path.

        Raises:
            StripeError: 404, there is no such endpoint.
        """
        segments = path.split("/")
        for template, endpoint in self._by_shape.get((method, len(segments)), ()):
            if all(want in ("{}", got) for want, got in zip(template, segments, strict=True)):
                ids = tuple(got for want, got in zip(template, segments, strict=True) if want == "{}")
                if all(ids):
                    return endpoint, ids
        raise StripeError(
            f"Unrecognized request URL ({method}: {path}). The Stripe emulator may not have this endpoint: "
            "see docs/stripe-emulator.md.",
            status=404,
        )
