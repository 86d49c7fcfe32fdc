"""Payments of invoices, read-only: `/v1/charges`, `/v1/invoice_payments`, `/v1/disputes`, `/v1/refunds`."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Query
from stripe_emulator.params.specs import EXPAND, Params, choice, listing, one_or_range, string


def retrieve_charge(ctx: Context) -> Text:
    """Return a charge."""
    return ctx.text("charge", ctx.ids[0])


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
_ONE = Params(expand=EXPAND)
ENDPOINTS = [
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
    Endpoint("GET", "/v1/refunds", _OF_CHARGE, list_refunds),
    Endpoint("GET", "/v1/refunds/{}", _ONE, retrieve_refund),
]
