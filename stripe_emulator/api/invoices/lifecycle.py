"""The steps of an invoice after its draft: finalize, pay, send, void, mark uncollectible."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.finalization import finalize
from stripe_emulator.engine.invoices.payments import charge, mark_paid
from stripe_emulator.engine.invoices.state import write_off
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import EXPAND, Params, boolean, payment_method


def _refuse(wanted: str, invoice: Obj) -> StripeError:
    return StripeError(
        f"You can only pass in {wanted} invoices. This invoice is {invoice['status']}.",
        code="status_transition_invalid",
    )


def finalize_draft(ctx: Context) -> Text:
    """Finalize a draft."""
    return finalize(ctx, ctx.load("invoice", ctx.ids[0]), ctx.params.get("auto_advance"))


def pay(ctx: Context) -> Text:
    """Pay an open invoice; a draft is finalized first."""
    invoice = ctx.load("invoice", ctx.ids[0])
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] not in ("draft", "open", "uncollectible"):
        raise _refuse("open", invoice)
    if invoice["status"] == "draft":
        text = finalize(ctx, invoice, auto_advance=False)
        if invoice["status"] == "paid":
            return text
    if ctx.params.get("paid_out_of_band"):
        return mark_paid(ctx, invoice, method=None)
    return charge(ctx, invoice, ctx.params.get("payment_method"))


def send(ctx: Context) -> Text:
    """Send an open invoice (no mail leaves the emulator); a draft is finalized first."""
    invoice = ctx.load("invoice", ctx.ids[0])
    if invoice["collection_method"] != "send_invoice":
        message = "You can only manually send an invoice if its collection method is 'send_invoice'."
        raise StripeError(message)
    if invoice["status"] == "draft":
        finalize(ctx, invoice)
    if invoice["status"] not in ("open", "paid"):
        raise _refuse("open", invoice)
    return ctx.save("invoice", invoice, "invoice.sent")


def void(ctx: Context) -> Text:
    """Void an open or uncollectible invoice, permanently."""
    invoice = ctx.load("invoice", ctx.ids[0])
    if invoice["status"] not in ("open", "uncollectible"):
        raise _refuse("open", invoice)
    return write_off(ctx, invoice, "void")


def mark_uncollectible(ctx: Context) -> Text:
    """Mark an open invoice as uncollectible; it can still be paid or voided."""
    invoice = ctx.load("invoice", ctx.ids[0])
    if invoice["status"] != "open":
        raise _refuse("open", invoice)
    return write_off(ctx, invoice, "uncollectible")


_BARE = Params(expand=EXPAND)
_PAY = Params(
    expand=EXPAND,
    paid_out_of_band=boolean(),
    payment_method=payment_method(),
    unsupported="forgive mandate off_session source",
)
ENDPOINTS = [
    Endpoint("POST", "/v1/invoices/{}/finalize", Params(auto_advance=boolean(), expand=EXPAND), finalize_draft),
    Endpoint("POST", "/v1/invoices/{}/pay", _PAY, pay),
    Endpoint("POST", "/v1/invoices/{}/send", _BARE, send),
    Endpoint("POST", "/v1/invoices/{}/void", _BARE, void),
    Endpoint("POST", "/v1/invoices/{}/mark_uncollectible", _BARE, mark_uncollectible),
]
