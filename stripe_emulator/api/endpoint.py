"""An endpoint of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.store import Obj
from stripe_emulator.params.specs import Params

Handler: TypeAlias = "Callable[[Context], Obj | str]"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path template (`/v1/invoices/{}`), with its parameters and its handler."""

    method: str
    template: str
    params: Params
    handler: Handler

    @property
    def name(self) -> str:
        """The endpoint's name for rate limits and idempotency keys."""
        return f"{self.method} {self.template}"
