"""Collection that Stripe stops is recorded, shown, and over when a person resumes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from tests.e2e.paid_invoices import perdure_of
from tests.e2e.subscribers import subscribing
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits

KEY = "2022-05/team:stopped/period"


async def test_a_cancellation_stops_collection(system: System, tmp_path: Path) -> None:
    perdure = perdure_of(system, tmp_path)
    v1: Any = system.stripe.v1

    async def collected(yes: bool) -> InvoiceRecord:
        async def there() -> InvoiceRecord | None:
            found = await system.invoice(KEY)
            return found if (found.collection_stopped_at is None) is yes else None

        return await until(there)

    async with subscribing(system) as they:
        await they.clock("2022-06-01")
        customer = await they.customer(attribution_id="team:stopped")
        await system.add_account("team:stopped", ("2022-05-01", None), customer=customer)
        await system.add_instance("stopped", "team:stopped", "2022-05-03", "2022-05-04")
        await system.run_period()
        billed = await system.until_state(KEY, InvoiceState.BILLED)
        drop = {"match": {"type": "^customer.subscription"}, "action": "drop", "times": None}
        await system.admin("webhook_faults", drop)  # of a subscription that is no business of Perdure's
        subscription = await they.subscribe(customer)
        await v1.subscriptions.cancel_async(subscription)
        stopped = await collected(False)
        assert (stopped.state, stopped.amount) == (InvoiceState.BILLED, billed.amount)
        assert "Stripe no longer charges it by itself" in (await perdure("invoices", "show", KEY)).out
        status = (await perdure("period", "status", "2022-05", "--json")).document
        assert [each["key"] for each in status["not_collected"]] == [KEY]
        assert f"{KEY}: its auto_advance is off" in (await perdure("period", "status", "2022-05")).out

        await v1.invoices.update_async(billed.stripe_invoice_id, {"auto_advance": True})
        await collected(True)
        assert (await perdure("period", "status", "2022-05", "--json")).document["not_collected"] == []
