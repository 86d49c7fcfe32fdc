"""The catch-up's cursor in Postgres, and the delivery of its wake-ups."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from activities.step import step
from billing.invoice.key import InvoiceKey
from contracts import workflow_ids
from contracts.messages.events import (
    CursorFound,
    CursorRef,
    DeliverWakeUps,
    EventCursor,
    MoveCursor,
    WakeUp,
    WakeUpsDelivered,
)
from contracts.messages.invoices import StripeEvent
from contracts.names import Activities, Workflows
from reconciliation.event_routing import is_missed, is_satisfied
from storage.invoices.invoices import waiting_for_currency_of
from storage.postgres.database import Database
from storage.recovery import event_cursor
from storage.recovery.event_cursor import ReadDeliveries
from temporal import start

logger = logging.getLogger("perdure.stripe_events")


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
                ReadDeliveries(**move.deliveries.model_dump()),
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
            wanted: list[WakeUp] = [
                each
                for each in order.wake_ups
                if each.workflow != Workflows.INVOICE
                or not is_satisfied(each.types, states.get(each.input["invoice_key"]))
            ]
            satisfied = len(order.wake_ups) - len(wanted)
            missed = [
                each
                for each in order.wake_ups
                if each.workflow == Workflows.INVOICE and is_missed(each.types, states.get(each.input["invoice_key"]))
            ]
            wanted += await self._freed(order)
            for target in wanted:
                await start.deliver(self._client, target)
                await asyncio.sleep(self._pause)
            if missed:
                about = {"events": len(missed), "first": missed[0].workflow_id}
                logger.warning("missed events delivered", extra=about)
            return WakeUpsDelivered(signalled=len(wanted), satisfied=satisfied)

    async def _freed(self, order: DeliverWakeUps) -> list[WakeUp]:
        """Wake the invoices that have waited for the end of something else of their customers."""
        keys = await waiting_for_currency_of(self._db, order.freed_customers) if order.freed_customers else []
        ended = StripeEvent(event_id="", type="invoice.paid", created=datetime.now(UTC))
        return [
            WakeUp(
                workflow=Workflows.INVOICE,
                workflow_id=workflow_ids.invoice(str(key)),
                input={"invoice_key": str(key)},
                event=ended,
                summary=f"Invoice of {key.attribution_id} for {key.period}, woken by another invoice of its customer",
                attribution_id=key.attribution_id,
                billing_period=key.period,
            )
            for key in map(InvoiceKey.parse, keys)
        ]

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
