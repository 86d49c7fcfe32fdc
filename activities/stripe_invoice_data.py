"""Between Stripe's invoices and our messages: mapping and comparing, without requests."""

from __future__ import annotations

from typing import Any

from activities.stripe_client import instant
from billing.errors import MismatchError
from contracts import stripe_metadata
from contracts.invoices import (
    DraftMade,
    StripeInvoiceLine,
    StripeInvoiceOrder,
    StripeInvoiceRef,
    StripeInvoiceSnapshot,
    StripeLine,
    lines_digest,
)


def draft_made(order: StripeInvoiceOrder, invoice: dict[str, Any]) -> DraftMade:
    """That this invoice exists in Stripe."""
    return DraftMade(
        invoice_key=order.invoice_key, stripe_invoice_id=invoice["id"], stripe_customer_id=invoice["customer"]
    )


def line_params(line: StripeLine) -> dict[str, Any]:
    """A line as `add_lines` takes it."""
    return {
        "amount": line.amount,
        "description": line.description,
        "metadata": {stripe_metadata.LINE: line.line_id},
        "period": {"start": int(line.start.timestamp()), "end": int(line.end.timestamp())},
    }


def check_totals(order: StripeInvoiceOrder, invoice: dict[str, Any]) -> None:
    """Compare subtotal and currency.

    Raises:
        MismatchError: they differ; both are given.
    """
    if invoice["currency"] != order.currency or invoice["subtotal"] != order.amount:
        raise MismatchError(
            f"{invoice['id']} has a subtotal of {invoice['subtotal']} {invoice['currency']}, "
            f"ours is {order.amount} {order.currency} (minor units)"
        )


def check_draft(ref: StripeInvoiceRef, draft: StripeInvoiceSnapshot) -> None:
    """Compare a draft with what it must hold.

    Raises:
        MismatchError: somebody edited it; its lines are given.
    """
    lines = sorted((line.line_id, line.amount) for line in draft.lines)
    foreign = [line.currency for line in draft.lines if line.currency != ref.currency]
    same = (draft.currency, draft.subtotal, lines_digest(lines)) == (ref.currency, ref.amount, ref.lines_digest)
    if ref.lines_digest and (foreign or not same):
        shown = ", ".join(f"{line_id or '(not ours)'} = {amount}" for line_id, amount in lines)
        raise MismatchError(
            f"the draft {ref.stripe_invoice_id} was edited, it is not finalized: {draft.subtotal} {draft.currency}, "
            f"ours is {ref.amount} {ref.currency} (minor units); its lines: {shown[:400]}"
        )


def snapshot(invoice: dict[str, Any], lines: list[dict[str, Any]]) -> StripeInvoiceSnapshot:
    """Stripe's invoice with these lines as our message."""
    times = invoice["status_transitions"]
    return StripeInvoiceSnapshot(
        stripe_invoice_id=invoice["id"],
        status=invoice["status"],
        stripe_customer_id=invoice["customer"],
        currency=invoice["currency"],
        subtotal=invoice["subtotal"],
        metadata=invoice.get("metadata") or {},
        lines=[
            StripeInvoiceLine(
                line_id=(line.get("metadata") or {}).get(stripe_metadata.LINE, ""),
                amount=line["amount"],
                currency=line["currency"],
            )
            for line in lines
        ],
        livemode=invoice["livemode"],
        finalized_at=instant(times.get("finalized_at")),
        paid_at=instant(times.get("paid_at")),
        voided_at=instant(times.get("voided_at")),
        marked_uncollectible_at=instant(times.get("marked_uncollectible_at")),
        billing_reason=invoice.get("billing_reason"),
        stripe_subscription_id=_subscription(invoice),
        period_end=instant(invoice.get("period_end")),
        created=instant(invoice.get("created")),
        attempt_count=invoice.get("attempt_count") or 0,
        credited=sum(invoice.get(f"{when}_payment_credit_notes_amount") or 0 for when in ("pre", "post")),
    )


def _subscription(invoice: dict[str, Any]) -> str | None:
    """The subscription that Stripe made it for."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return found["id"] if isinstance(found, dict) else found
