"""Maps Stripe's invoices to our messages and compares them, without requests."""

from __future__ import annotations

from typing import Any

from activities.stripe.client import instant, metadata_of
from billing.errors import EditedInvoiceError
from billing.invoice.policy import ChargeOn, Finalization
from billing.money import format_amount
from contracts import stripe_metadata
from contracts.messages.invoices import (
    StripeInvoiceCreated,
    StripeInvoiceLine,
    StripeInvoiceOrder,
    StripeInvoiceRef,
    StripeInvoiceSnapshot,
    StripeLine,
)
from reconciliation.figures import lines_digest, stripe_figures


def stripe_invoice_created(order: StripeInvoiceOrder, invoice: dict[str, Any]) -> StripeInvoiceCreated:
    """Return the message that this invoice exists in Stripe."""
    return StripeInvoiceCreated(
        invoice_key=order.invoice_key, stripe_invoice_id=invoice["id"], stripe_customer_id=invoice["customer"]
    )


def other_report(order: StripeInvoiceOrder, invoice: dict[str, Any]) -> str | None:
    """Return the report that a found invoice names, if it is not the order's and the order permits adopting it."""
    named: str | None = metadata_of(invoice).get(stripe_metadata.REPORT_ID)
    ours = order.metadata.get(stripe_metadata.REPORT_ID)
    return named if order.adopt and named not in (None, "", ours) else None


def found_finalized(found: StripeInvoiceSnapshot) -> StripeInvoiceSnapshot:
    """Mark an invoice that is not ours to finalize now: it must be refreshed, as no further event may arrive."""
    return found.model_copy(update={"found_finalized": True})


def line_params(line: StripeLine) -> dict[str, Any]:
    """Return a line as parameters of `add_lines`."""
    return {
        "amount": line.amount,
        "description": line.description,
        "metadata": {stripe_metadata.LINE: line.line_id},
        "period": {"start": int(line.start.timestamp()), "end": int(line.end.timestamp())},
    }


def check_draft(ref: StripeInvoiceRef, draft: StripeInvoiceSnapshot) -> None:
    """Compare a draft with our figures. On a subscription's draft, lines that are not ours are ignored.

    Raises:
        EditedInvoiceError: somebody edited the draft; the message shows its lines.
    """
    subtotal, lines = stripe_figures(ref.invoice_key, ref.charge_on, draft)
    foreign = [line.currency for line in draft.lines if line.currency != ref.currency]
    digest = lines_digest(lines)
    same = (draft.currency, subtotal, digest) == (ref.currency, ref.amount, ref.lines_digest)
    if ref.lines_digest and (foreign or not same):
        shown = ", ".join(f"{line_id or '(not ours)'} = {amount}" for line_id, amount in lines)
        raise EditedInvoiceError(
            f"the {draft.status} invoice {ref.stripe_invoice_id} was edited in Stripe: it has "
            f"{format_amount(subtotal, draft.currency)}, ours {format_amount(ref.amount, ref.currency)}; its lines "
            f"(minor units): {shown[:400]}",
            subtotal,
            digest,
        )


def _subscription_of(invoice: dict[str, Any]) -> str | None:
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return found["id"] if isinstance(found, dict) else found


def advance_left(ref: StripeInvoiceRef | StripeInvoiceOrder, draft: StripeInvoiceSnapshot) -> str | None:
    """Return how Perdure left the draft's `auto_advance` (`stripe_metadata.ADVANCE`); None if it never touched it."""
    if (left := draft.metadata.get(stripe_metadata.ADVANCE)) is not None:
        return left
    if ref.charge_on is ChargeOn.OWN:
        return stripe_metadata.ADVANCE_OFF  # created so, and not announced yet
    if stripe_metadata.INVOICE not in draft.metadata:
        return None
    # Filled by a release that did not write it down.
    return stripe_metadata.ADVANCE_ON if ref.finalization is Finalization.GRACE else stripe_metadata.ADVANCE_OFF


def is_kept_off(ref: StripeInvoiceRef | StripeInvoiceOrder, found: StripeInvoiceSnapshot) -> bool:
    """Whether the invoice is a draft that Stripe does not finalize by itself, and not because of Perdure.

    A person turned `auto_advance` off, or Stripe did because collection is paused.
    """
    off = found.status == "draft" and not found.auto_advance
    return off and advance_left(ref, found) != stripe_metadata.ADVANCE_OFF


def made_in_a_pause(ref: StripeInvoiceRef | StripeInvoiceOrder, draft: StripeInvoiceSnapshot) -> bool:
    """Whether Stripe made its draft in a pause of its subscription that has ended, and kept it off by that alone."""
    made = draft.created
    return made is not None and any(
        each.stripe_subscription_id == draft.stripe_subscription_id and each.ended is not None and each.covers(made)
        for each in ref.pauses
    )


def _collection_stopped(invoice: dict[str, Any]) -> bool:
    """Whether Stripe stopped charging an open invoice, as it does when its customer cancels a subscription.

    https://docs.stripe.com/api/subscriptions/cancel
    """
    automatic = invoice.get("collection_method") == "charge_automatically"
    return invoice["status"] == "open" and automatic and invoice.get("auto_advance") is False


def _discount_of(invoice: dict[str, Any]) -> int:
    """Return what discounts and Stripe's billing credits take off the subtotal."""
    credits = [one for one in invoice.get("total_pretax_credit_amounts") or [] if one["type"] != "discount"]
    return sum(one["amount"] for one in [*(invoice.get("total_discount_amounts") or []), *credits])


def _tax_of(invoice: dict[str, Any]) -> int:
    """Return the tax that is added to the subtotal; inclusive tax is a part of it."""
    taxes = invoice.get("total_taxes") or []
    return sum(one["amount"] for one in taxes if one["tax_behavior"] == "exclusive")


def snapshot(invoice: dict[str, Any], lines: list[dict[str, Any]]) -> StripeInvoiceSnapshot:
    """Return Stripe's invoice with these lines as our message."""
    times = invoice["status_transitions"]
    return StripeInvoiceSnapshot(
        stripe_invoice_id=invoice["id"],
        status=invoice["status"],
        stripe_customer_id=invoice["customer"],
        currency=invoice["currency"],
        subtotal=invoice["subtotal"],
        total=invoice["total"],
        discount=_discount_of(invoice),
        tax=_tax_of(invoice),
        metadata=metadata_of(invoice),
        lines=[
            StripeInvoiceLine(
                line_id=metadata_of(line).get(stripe_metadata.LINE, ""),
                amount=line["amount"],
                currency=line["currency"],
                stripe_line_id=line["id"],
            )
            for line in lines
        ],
        livemode=invoice["livemode"],
        billing_reason=invoice.get("billing_reason") or "",
        stripe_subscription_id=_subscription_of(invoice),
        period_start=instant(invoice.get("period_start")),
        period_end=instant(invoice.get("period_end")),
        created=instant(invoice.get("created")),
        attempt_count=invoice.get("attempt_count") or 0,
        finalized_at=instant(times.get("finalized_at")),
        paid_at=instant(times.get("paid_at")),
        voided_at=instant(times.get("voided_at")),
        marked_uncollectible_at=instant(times.get("marked_uncollectible_at")),
        auto_advance=bool(invoice.get("auto_advance") or invoice.get("last_finalization_error")),
        collection_stopped=_collection_stopped(invoice),
        number=invoice.get("number"),
        hosted_invoice_url=invoice.get("hosted_invoice_url"),
    )
