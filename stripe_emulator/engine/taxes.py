"""Automatic tax: one percentage of the subtotal, added when an invoice is finalized."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from stripe_emulator.engine.store import Obj
from stripe_emulator.params.specs import Params, boolean

AUTOMATIC_TAX = Params(enabled=boolean(), required=["enabled"], unsupported="liability")


def taxes(amount: int, taxable: int) -> list[Obj]:
    """Return `total_taxes` for a tax in minor units on a taxable amount; empty without tax."""
    if not amount:
        return []
    tax = {
        "amount": amount,
        "tax_behavior": "exclusive",
        "tax_rate_details": None,
        "taxability_reason": "standard_rated",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }
    return [tax]


def tax_of(total_taxes: list[Obj] | None) -> int:
    """Return the sum of `total_taxes`."""
    return sum(int(one["amount"]) for one in total_taxes or [])


def add_tax(invoice: Obj, percent: Decimal) -> None:
    """Add the tax, rounded half up once, to a draft that is being finalized. Its subtotal stays."""
    if not invoice["automatic_tax"]["enabled"]:
        return
    taxable = invoice["total_excluding_tax"]  # the subtotal without the discounts
    tax = int((max(0, taxable) * percent / 100).quantize(Decimal(1), ROUND_HALF_UP))
    invoice["automatic_tax"] = {**invoice["automatic_tax"], "provider": "stripe", "status": "complete"}
    invoice["total_taxes"] = taxes(tax, taxable)
    invoice["total"] = taxable + tax


def enable(thing: Obj, given: Obj) -> None:
    """Set `automatic_tax` on an invoice or a subscription."""
    thing["automatic_tax"] = {
        **thing["automatic_tax"],
        "disabled_reason": None,
        "enabled": given["enabled"],
        "liability": {"type": "self"} if given["enabled"] else None,
    }


def disable(thing: Obj, reason: str) -> None:
    """Turn automatic tax off on an invoice or a subscription, as Stripe does by itself."""
    thing["automatic_tax"] = {**thing["automatic_tax"], "disabled_reason": reason, "enabled": False, "liability": None}
