"""Refunds of charges by credit notes."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.payments import charge_of
from stripe_emulator.engine.objects import new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError


def refund(ctx: Context, invoice: Obj, amount: int) -> Obj:
    """Refund `amount` minor units of the invoice's charge, and return the entry for a credit note's `refunds`.

    Raises:
        StripeError: the invoice has no charge, or less of it is left.
    """
    charge = charge_of(ctx, invoice)
    left = 0 if charge is None else charge["amount"] - charge["amount_refunded"]
    if charge is None or amount > left:
        raise StripeError(
            f"The refund of {amount} exceeds the remainder of the invoice's charge, {left}.",
            code="charge_already_refunded" if charge is not None and not left else None,
            param="refund_amount",
        )
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    ctx.save("charge", charge)
    made: Obj = {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    ctx.save("refund", made)
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": made["id"], "type": "refund"}
