"""Nobody is charged by an order that was made before Postgres knew better, however long Stripe's step has waited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import RPCError

from billing.invoice.policy import AccountPolicy, BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import STRIPE_QUEUE, Activities
from storage.accounts import policies
from tests.e2e.decisions import void
from tests.e2e.subscribers import Subscribers, only, pause, subscribed, subscribing
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day_known, stripe_ids

S = InvoiceState


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def pending(system: System, key: str) -> list[Any]:
    """Return the activities that the invoice's workflow waits for."""
    try:
        described = await system.client.get_workflow_handle(workflow_ids.invoice(key)).describe()
    except RPCError:
        return []  # not started yet
    return list(described.raw_description.pending_activities)


@pytest.mark.history("one-step-voided")
async def test_a_void_that_is_decided_before_stripe_has_anything_charges_nobody(system: System) -> None:
    key = await one_day_known(system, "team:undone", "pm_card_visa")
    await system.stop(STRIPE_QUEUE)
    period = await system.start_period(MAY)

    async def waits_for_stripe() -> bool:
        return [each.activity_type.name for each in await pending(system, key)] == [Activities.BILL_STRIPE_INVOICE]

    await until(waits_for_stripe)
    await void(system, key)
    await system.start(STRIPE_QUEUE)
    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    await system.until_state(key, S.DELETED)
    assert await stripe_ids(system, key) == []


@pytest.mark.history("one-step-paused")
async def test_a_pause_that_begins_while_stripe_is_away_charges_nobody(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:own")
    own = AccountPolicy(charge_on=ChargeOn.OWN, finalization=Finalization.AT_ONCE)
    await policies.write_policy(system.db, "team:own", own)
    await they.clock("2022-06-01T00:10")
    away = {"match": {"method": "POST", "path": "/v1/invoices$"}, "action": "503", "times": None}
    await system.admin("faults", away)
    await system.start_period(MAY)

    async def fails() -> bool:
        return any(each.attempt > 1 for each in await pending(system, f"{MAY}/team:own/period"))

    await until(fails)
    await pause(system, "team:own", subscription)
    await system.admin("faults", method="DELETE")
    invoice = await only(system, S.BLOCKED)
    await until_rested(system)
    assert invoice.blocked_kind is BlockedKind.COLLECTION_PAUSED
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (stripe.status, stripe.amount_paid) == ("draft", 0)
