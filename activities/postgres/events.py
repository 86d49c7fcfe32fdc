"""The catch-up's cursor in Postgres, and the delivery of its wake-ups."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client

from activities.step import step
from contracts.messages.events import (
    CursorFound,
    CursorRef,
    DeliverWakeUps,
    EventCursor,
    MoveCursor,
    WakeUpsDelivered,
)
from contracts.names import Activities, Workflows
from reconciliation.event_routing import is_satisfied
from storage.postgres.database import Database
from storage.recovery import event_cursor
from temporal import start


class EventActivities:
    """Keeps the cursor and wakes workflows, at most `per_second` each second."""

    def __init__(self, db: Database, client: Client, per_second: float) -> None:
        self._db = db
        self._client = client
        self._pause = 1 / per_second

    @activity.defn(name=Activities.LOAD_EVENT_CURSOR)
    async def load(self, ref: CursorRef) -> CursorFound:
        """Return the stored cursor."""
        async with step():
            return await self._found(ref.name)

    @activity.defn(name=Activities.MOVE_EVENT_CURSOR)
    async def move(self, move: MoveCursor) -> CursorFound:
        """Move the cursor forward, unless another run has moved it; return the cursor that is stored now."""
        async with step():
            moved = await event_cursor.move(
                self._db,
                move.name,
                move.was.event_id if move.was else None,
                move.cursor.event_id,
                move.cursor.event_created,
                move.cursor.adopted_until,
            )
            if not moved:
                activity.logger.info("the cursor %s was moved by another run", move.name)
            return await self._found(move.name)

    @activity.defn(name=Activities.DELIVER_WAKE_UPS)
    async def deliver(self, order: DeliverWakeUps) -> WakeUpsDelivered:
        """Signal the workflows in order, at a bounded rate. Safe to repeat: a woken workflow only refreshes.

        Raises:
            RPCError: Temporal refused a signal; the retry starts from the first.
        """
        async with step():
            keys = [each.input["invoice_key"] for each in order.wake_ups if each.workflow == Workflows.INVOICE]
            states = await event_cursor.states(self._db, keys)
            wanted = [
                each
                for each in order.wake_ups
                if each.workflow != Workflows.INVOICE
                or not is_satisfied(each.types, states.get(each.input["invoice_key"]))
            ]
            for target in wanted:
                await start.deliver(self._client, target)
                await asyncio.sleep(self._pause)
            return WakeUpsDelivered(signalled=len(wanted), satisfied=len(order.wake_ups) - len(wanted))

    async def _found(self, name: str) -> CursorFound:
        found = await event_cursor.load(self._db, name)
        if found is None:
            return CursorFound(cursor=None)
        return CursorFound(
            cursor=EventCursor(
                event_id=found.event_id,
                event_created=found.event_created,
                adopted_until=found.adopted_until,
                updated_at=found.updated_at,
            )
        )
