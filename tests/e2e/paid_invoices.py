"""Invoices that Stripe has charged, and the records of their disputes."""

from __future__ import annotations

from billing.invoice.states import InvoiceState
from storage.invoices import disputes
from storage.invoices.disputes import DisputeRecord
from tests.e2e.subscribers import Subscribers
from tests.support.system import System
from tests.support.until import until

KEY = "2022-05/team:disputed/period"


async def paid(system: System, they: Subscribers, team: str = "disputed") -> str:
    """Bill an invoice that Stripe charges, and return its Stripe id."""
    pays = {"default_payment_method": "pm_card_visa"}
    customer = await they.customer(attribution_id=f"team:{team}")
    await system.stripe.v1.customers.update_async(customer, {"invoice_settings": pays})
    await system.add_account(f"team:{team}", ("2022-05-01", None), customer=customer)
    await system.add_instance(f"{team}-{customer}", f"team:{team}", "2022-05-03", "2022-05-04")
    await system.run_period()
    invoice = await system.until_state(f"2022-05/team:{team}/period", InvoiceState.PAID)
    return str(invoice.stripe_invoice_id)


async def recorded(system: System, key: str = KEY) -> list[DisputeRecord]:
    invoice = await system.invoice(key)
    return (await disputes.of_invoices(system.db, [invoice.id])).get(invoice.id, [])


async def until_status(system: System, status: str) -> DisputeRecord:
    async def there() -> DisputeRecord | None:
        found = await recorded(system)
        return found[0] if found and found[0].status == status else None

    return await until(there)
