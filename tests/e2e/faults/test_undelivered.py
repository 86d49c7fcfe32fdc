"""The catch-up records what Stripe could not deliver to the webhook."""

from __future__ import annotations

import pytest

from billing.invoice.states import InvoiceState
from contracts.messages.events import CURSOR
from storage.recovery import event_cursor
from storage.recovery.event_cursor import StoredCursor
from tests.e2e.catching_up import catch_up
from tests.e2e.subscribers import subscribing
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits


async def _cursor(system: System) -> StoredCursor:
    found = await event_cursor.load(system.db, CURSOR)
    assert found is not None
    return found


async def test_what_no_endpoint_received_is_recorded(system: System) -> None:
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    await system.stop()
    await system.start()
    async with subscribing(system) as they:
        await they.clock("2022-05-01")
        customer = await they.customer(attribution_id="team:unheard")
        await system.add_account("team:unheard", ("2022-05-01", None), customer=customer)
        await system.add_instance("unheard", "team:unheard", "2022-05-03", "2022-05-04")
        await they.clock("2022-06-01")
        await system.run_period()
        await until_rested(system)
        [invoice] = await system.invoices()
        # An event on its way counts as not delivered yet.
        await system.admin("flush_webhooks", {"timeout_seconds": 60, "retry_now": True})
        await catch_up(system)
        before = await _cursor(system)
        assert before.delivered_at is not None
        assert not before.is_silent
        [endpoint] = (await system.stripe.v1.webhook_endpoints.list_async()).data
        await system.stripe.v1.webhook_endpoints.update_async(endpoint.id, {"url": "http://127.0.0.1:9/hook"})
        await they.clock("2022-06-02")
        await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})

        await catch_up(system)

        async def paid() -> bool:
            return {each.state for each in await system.invoices()} == {InvoiceState.PAID}

        await until(paid)
        after = await _cursor(system)
        assert after.is_silent
        assert after.undelivered > before.undelivered
        assert after.undelivered_at is not None
        assert after.undelivered_at > before.delivered_at == after.delivered_at
        await system.stripe.v1.webhook_endpoints.update_async(endpoint.id, {"url": endpoint.url})
        await system.admin("flush_webhooks", {"timeout_seconds": 60, "retry_now": True})
