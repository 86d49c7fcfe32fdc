"""The emulator's clock: real time, real time shifted, or standing still."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch as Stripe sees them. `offset` shifts real time; `frozen_at` stops it."""

    offset: float = 0.0
    frozen_at: float | None = None

    def time(self) -> float:
        """Now, in seconds since the epoch."""
        return self.frozen_at if self.frozen_at is not None else time.time() + self.offset

    def now(self) -> int:
        """Now, in whole seconds as Stripe's objects carry it."""
        return int(self.time())

    def set(self, instant: datetime | None, frozen: bool = False) -> None:
        """Move to `instant` and run on from there (or stand still); `None` is back to real time."""
        self.offset, self.frozen_at = 0.0, None
        if instant is not None:
            self.offset = instant.timestamp() - time.time()
        if frozen:
            # Not by way of the offset: rounding could stop it a second early.
            self.frozen_at, self.offset = instant.timestamp() if instant is not None else self.time(), 0.0

    def advance(self, seconds: float) -> None:
        """Move by `seconds`, also backwards."""
        if self.frozen_at is not None:
            self.frozen_at += seconds
        else:
            self.offset += seconds

    def state(self) -> dict[str, Any]:
        """What the admin route shows and the store keeps."""
        return {
            "now": datetime.fromtimestamp(self.time(), UTC).isoformat(),
            "timestamp": self.now(),
            "offset_seconds": self.offset,
            "frozen_at": self.frozen_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` said before a restart."""
        self.offset, self.frozen_at = state["offset_seconds"], state["frozen_at"]
