"""Endpoints and how a request finds its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.store import Obj
from stripe_emulator.http.errors import StripeError
from stripe_emulator.http.params import Params

Handler: TypeAlias = "Callable[[Context], Obj | str]"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path template (`/v1/invoices/{}`), what it takes, and what it does."""

    method: str
    template: str
    params: Params
    handler: Handler

    @property
    def name(self) -> str:
        """What rate limits and idempotency keys know it by."""
        return f"{self.method} {self.template}"


class Router:
    """Finds endpoints by the segments of a path; a literal segment beats a placeholder."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
        for endpoint in endpoints:
            segments = endpoint.template.split("/")
            self._by_shape.setdefault((endpoint.method, len(segments)), []).append((segments, endpoint))
        for found in self._by_shape.values():
            found.sort(key=lambda one: one[0].count("{}"))

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
        """The endpoint and the ids in the path.

        Raises:
            StripeError: 404, there is none.
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
