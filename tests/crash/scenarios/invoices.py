"""An invoice's life: settled and paid, refused and retried, approved, amended, edited, voided."""

from __future__ import annotations

import asyncio
from typing import Any

from billing.invoice import InvoiceState
from tests.crash.stage import Scenario, Stage
from tests.support.system import until

MAY = "2022-05"


async def paid(stage: Stage) -> None:
    """A period over two accounts, one of whose customers Stripe does not know yet; one pays."""
    system = stage.system
    await system.add_account("team:new", ("2022-05-01", None))
    await system.add_instance("new-1", "team:new", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.add_instance("new-xl", "team:new", "2022-05-03T10:00", "2022-05-03T20:00", "xl")
    await system.add_account("team:small", ("2022-05-01", None))
    await system.add_instance("small", "team:small", "2022-05-03T10:00", "2022-05-03T10:05")
    await system.run_period(MAY)
    invoice = await system.until_state(f"{MAY}/team:new/period", InvoiceState.BILLED)
    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})
    await system.until_state(invoice.key, InvoiceState.PAID)
    await stage.rest()


SCENARIOS = (Scenario("paid", paid),)
