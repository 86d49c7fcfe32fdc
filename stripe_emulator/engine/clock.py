"""The emulator's clock: real time, shifted real time, or frozen."""

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
        """Return the present time in seconds since the epoch."""
        return self.frozen_at if self.frozen_at is not None else time.time() + self.offset

    def now(self) -> int:
        """Return the present time in whole seconds, as in Stripe's objects."""
        return int(self.time())

    def set(self, instant: datetime | None, frozen: bool = False) -> None:
        """Move to `instant` and continue from there, or freeze there if `frozen`; `None` means real time."""
        self.offset, self.frozen_at = 0.0, None
        if instant is not None:
            self.offset = instant.timestamp() - time.time()
        if frozen:
            # Not computed from the offset: rounding could freeze the clock a second early.
            self.frozen_at, self.offset = instant.timestamp() if instant is not None else self.time(), 0.0

    def advance(self, seconds: float) -> None:
        """Move by `seconds`; negative values move back."""
        if self.frozen_at is not None:
            self.frozen_at += seconds
        else:
            self.offset += seconds

    def state(self) -> dict[str, Any]:
        """Return the state that the admin route shows and the store keeps."""
        return {
            "now": datetime.fromtimestamp(self.time(), UTC).isoformat(),
            "timestamp": self.now(),
            "offset_seconds": self.offset,
            "frozen_at": self.frozen_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the result of `state` from before a restart."""
        self.offset, self.frozen_at = state["offset_seconds"], state["frozen_at"]
