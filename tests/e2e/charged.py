"""The amounts that Stripe charges, by invoice."""

from __future__ import annotations

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from tests.support.system import System


async def live(system: System) -> dict[str, list[tuple[str, int]]]:
    """Return (Stripe id, subtotal) of each Stripe invoice that is not void, by key."""
    found: dict[str, list[tuple[str, int]]] = {}
    for invoice in await system.stripe_invoices():
        key = invoice["metadata"].get("perdure_invoice")
        if key and invoice["status"] != "void":
            found.setdefault(key, []).append((invoice["id"], invoice["subtotal"]))
    return found


async def draft_of_amount(system: System, key: str, amount: int) -> InvoiceRecord | None:
    found = await system.invoice(key)
    return found if (found.state, found.amount) == (InvoiceState.DRAFT, amount) else None
