"""Invoices that Stripe has charged, and the records of their disputes and refunds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from billing.invoice.states import InvoiceState
from storage.invoices import disputes, refunds
from storage.invoices.disputes import DisputeRecord
from storage.invoices.refunds import RefundRecord
from tests.cli.conftest import Perdure
from tests.e2e.subscribers import Subscribers
from tests.support.system import System
from tests.support.until import until

KEY = "2022-05/team:disputed/period"


async def paid(system: System, they: Subscribers, team: str = "disputed", card: str = "pm_card_visa") -> str:
    """Bill an invoice that Stripe charges, and return its Stripe id."""
    pays = {"default_payment_method": card}
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


async def until_refunds(system: System, *credit_notes: str | None) -> list[RefundRecord]:
    """Wait until the invoice has as many refunds, which belong to these credit notes; return them, oldest first."""
    invoice = await system.invoice(KEY)

    async def there() -> list[RefundRecord] | None:
        found = (await refunds.of_invoices(system.db, [invoice.id])).get(invoice.id, [])
        return found if Counter(each.stripe_credit_note_id for each in found) == Counter(credit_notes) else None

    return await until(there)


def perdure_of(system: System, folder: Path) -> Perdure:
    """Return the command line for the system's database; its files are in `folder`."""
    rates = folder / "rates.toml"
    (folder / "cwd").mkdir(exist_ok=True)
    return Perdure(folder / "cwd", {"DATABASE_URL": system.settings.need("database_url"), "RATE_CARD": str(rates)})
