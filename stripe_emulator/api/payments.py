"""Payments of invoices: `/v1/charges`, `/v1/invoice_payments`, `/v1/disputes`, and `/v1/refunds`, which can be made."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.refunds import make_refund, save_change
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError, missing_object
from stripe_emulator.params.specs import EXPAND, Params, choice, integer, listing, metadata, one_or_range, string


def retrieve_charge(ctx: Context) -> Text:
    """Return a charge."""
    return ctx.text("charge", ctx.ids[0])


def list_charges(ctx: Context) -> Text:
    """List charges, newest first."""
    return ctx.listing("/v1/charges", Query("charge"), {"customer": "customer", "payment_intent": "parent"})


def retrieve_payment(ctx: Context) -> Text:
    """Return an invoice payment."""
    return ctx.text("invoice_payment", ctx.ids[0])


def list_payments(ctx: Context) -> Text:
    """List invoice payments, newest first."""
    query = Query("invoice_payment")
    payment = ctx.params.get("payment") or {}
    if payment:
        query.where.append(("json_extract(body, '$.payment.type') = ?", payment["type"]))
    if "payment_intent" in payment:
        query.where.append(("label = ?", payment["payment_intent"]))
    return ctx.listing("/v1/invoice_payments", query, {"invoice": "parent", "status": "status"})


def retrieve_dispute(ctx: Context) -> Text:
    """Return a dispute."""
    return ctx.text("dispute", ctx.ids[0])


def list_disputes(ctx: Context) -> Text:
    """List disputes, newest first."""
    return ctx.listing("/v1/disputes", Query("dispute"), {"charge": "label", "payment_intent": "parent"})


def create_refund(ctx: Context) -> Obj:
    """Refund a charge, in full or in part."""
    params = ctx.params
    given = {name: params[name] for name in ("metadata", "reason") if name in params}
    return make_refund(ctx, _charge(ctx), params.get("amount"), **given)


def _charge(ctx: Context) -> Obj:
    named = [name for name in ("charge", "payment_intent") if name in ctx.params]
    if len(named) != 1:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise StripeError(message, code="parameter_missing", param="charge")
    if "charge" in ctx.params:
        return ctx.load("charge", ctx.params["charge"], "charge")
    intent = ctx.params["payment_intent"]
    rows = ctx.store.run("SELECT id FROM object WHERE kind='charge' AND parent=?", (intent,))
    if not rows:
        raise missing_object("payment_intent", intent, "payment_intent")
    return ctx.load("charge", rows[0][0])


def update_refund(ctx: Context) -> str:
    """Change a refund's metadata."""
    made = ctx.load("refund", ctx.ids[0])
    before = dict(made)
    if "metadata" in ctx.params:
        made["metadata"] = merge_metadata(made["metadata"], ctx.params["metadata"])
    return save_change(ctx, made, before)


def retrieve_refund(ctx: Context) -> Text:
    """Return a refund."""
    return ctx.text("refund", ctx.ids[0])


def list_refunds(ctx: Context) -> Text:
    """List refunds, newest first."""
    return ctx.listing("/v1/refunds", Query("refund"), {"charge": "label", "payment_intent": "parent"})


_PAYMENT = Params(
    payment_intent=string(),
    type=choice("payment_intent", "payment_record"),
    required=["type"],
    unsupported="payment_record",
)
_OF_CHARGE = listing(charge=string(), created=one_or_range(), payment_intent=string())
_CHARGES = listing("transfer_group", created=one_or_range(), customer=string(), payment_intent=string())
_REFUND = Params(
    amount=integer(1),
    charge=string(),
    expand=EXPAND,
    metadata=metadata(),
    payment_intent=string(),
    reason=choice("duplicate", "fraudulent", "requested_by_customer"),
    unsupported="currency customer instructions_email origin refund_application_fee reverse_transfer",
)
_ONE = Params(expand=EXPAND)
ENDPOINTS = [
    Endpoint("GET", "/v1/charges", _CHARGES, list_charges),
    Endpoint("GET", "/v1/charges/{}", _ONE, retrieve_charge),
    Endpoint(
        "GET",
        "/v1/invoice_payments",
        listing(created=one_or_range(), invoice=string(), payment=_PAYMENT, status=choice("canceled", "open", "paid")),
        list_payments,
    ),
    Endpoint("GET", "/v1/invoice_payments/{}", _ONE, retrieve_payment),
    Endpoint("GET", "/v1/disputes", _OF_CHARGE, list_disputes),
    Endpoint("GET", "/v1/disputes/{}", _ONE, retrieve_dispute),
    Endpoint("POST", "/v1/refunds", _REFUND, create_refund),
    Endpoint("GET", "/v1/refunds", _OF_CHARGE, list_refunds),
    Endpoint("GET", "/v1/refunds/{}", _ONE, retrieve_refund),
    Endpoint("POST", "/v1/refunds/{}", Params(expand=EXPAND, metadata=metadata()), update_refund),
]
