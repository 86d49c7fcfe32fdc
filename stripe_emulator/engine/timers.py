"""Changes due when the emulator's clock passes an instant: automatic finalization, subscriptions' periods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stripe_emulator.config import Behaviour
from stripe_emulator.engine.billing import cycles as subscription_cycles
from stripe_emulator.engine.clock import Clock
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices import finalization, refunds
from stripe_emulator.engine.store import Store
from stripe_emulator.errors import StripeError

log = logging.getLogger(__name__)
_PASSED = {
    "invoice": finalization.clock_passed,
    "refund": refunds.clock_passed,
    "subscription": subscription_cycles.clock_passed,
}
_AT_ONCE = 200


class Timers:
    """Runs due timers, whether real time passed or the clock was moved."""

    def __init__(
        self, store: Store, clock: Clock, behaviour: Behaviour, context: Callable[[int | None], Context]
    ) -> None:
        self._store, self._clock, self._behaviour, self._context = store, clock, behaviour, context

    async def run(self) -> None:
        """Fire due timers every half second, until canceled."""
        while True:
            await self.fire()
            await asyncio.sleep(0.5)

    async def fire(self) -> int:
        """Fire all due timers and return their number. Requests can run in between."""
        done = 0
        while True:
            # If stepwise, a timer can set another that is due before the next one: read again after each.
            limit = 1 if self._behaviour.stepwise else _AT_ONCE
            due = self._store.run(
                "SELECT kind, id, at FROM timer WHERE at<=? ORDER BY at, kind, id LIMIT ?", (self._clock.now(), limit)
            )
            if not due:
                return done
            for kind, object_id, at in due:
                self._one(kind, object_id, at)
                await asyncio.sleep(0)
            done += len(due)

    def _one(self, kind: str, object_id: str, at: int) -> None:
        context = self._context(at if self._behaviour.stepwise else None)
        try:
            with self._store.transaction():
                _PASSED[kind](context, object_id)
        except StripeError as error:
            log.warning("%s %s could not advance automatically: %s", kind, object_id, error)
            self._store.set_timer(kind, object_id, None)
