"""What happens when the emulator's clock passes an instant: automatic finalization, subscriptions' periods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from . import invoice_state, subscription_state
from .clock import Clock
from .context import Context
from .errors import StripeError
from .store import Store

log = logging.getLogger(__name__)
_PASSED = {"invoice": invoice_state.clock_passed, "subscription": subscription_state.clock_passed}
_AT_ONCE = 200


class Timers:
    """Runs what is due, whether real time passed or the clock was moved."""

    def __init__(self, store: Store, clock: Clock, context: Callable[[], Context]) -> None:
        self._store, self._clock, self._context = store, clock, context

    async def run(self) -> None:
        """Look every half second, for ever."""
        while True:
            await self.fire()
            await asyncio.sleep(0.5)

    async def fire(self) -> int:
        """Do all that is due now; gives how many objects that were. Lets requests in between."""
        done = 0
        while True:
            due = self._store.run(
                "SELECT kind, id FROM timer WHERE at<=? ORDER BY at LIMIT ?", (self._clock.now(), _AT_ONCE)
            )
            if not due:
                return done
            for kind, object_id in due:
                self._one(kind, object_id)
                await asyncio.sleep(0)
            done += len(due)

    def _one(self, kind: str, object_id: str) -> None:
        context = self._context()
        try:
            with self._store.transaction():
                _PASSED[kind](context, object_id)
        except StripeError as error:
            log.warning("%s %s could not go on by itself: %s", kind, object_id, error)
            self._store.set_timer(kind, object_id, None)
