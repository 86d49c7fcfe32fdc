"""`/v1/subscriptions`: their lifecycle and events, and their invoices if the setting asks for them."""

from __future__ import annotations

from decimal import Decimal

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.subscription_params import (
    CANCELLATION_DETAILS,
    CHANGED_ITEM,
    NEW_ITEM,
    PAUSE_COLLECTION,
    TRIAL_SETTINGS,
)
from stripe_emulator.engine.billing.invoices import bill_end, bill_now, first_share, rest, whole
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.cancellation import end_subscription
from stripe_emulator.engine.invoices.discounts import discounts, given_discounts
from stripe_emulator.engine.invoices.locations import check_subscriber
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.engine.subscriptions.state import (
    ENDED,
    change_items,
    new_subscription,
    reset_anchor,
    schedule,
    set_cancellation,
    set_periods,
    set_trial_end,
)
from stripe_emulator.engine.taxes import AUTOMATIC_TAX, enable
from stripe_emulator.errors import StripeError, missing_object, unsupported_param
from stripe_emulator.params.specs import (
    EXPAND,
    SEARCH,
    Params,
    Raw,
    Spec,
    boolean,
    choice,
    clearable,
    currency,
    integer,
    list_of,
    listing,
    metadata,
    one_or_range,
    payment_method,
    string,
    timestamp,
)


def _trial_end(raw: Raw, at: str) -> int | str:
    return "now" if raw == "now" else int(timestamp()(raw, at))


_FIELDS: dict[str, Spec] = {
    "automatic_tax": AUTOMATIC_TAX,
    "cancel_at": clearable(timestamp()),
    "cancel_at_period_end": boolean(),
    "collection_method": choice("charge_automatically", "send_invoice"),
    "days_until_due": integer(0, 3650),
    "default_payment_method": payment_method(),
    "description": clearable(string(500)),
    "discounts": discounts(),
    "expand": EXPAND,
    "metadata": metadata(),
    "proration_behavior": choice("none", "create_prorations"),
    "trial_end": _trial_end,
    "trial_settings": TRIAL_SETTINGS,
}
_UNSUPPORTED = (
    "add_invoice_items application_fee_percent "
    "billing_schedules billing_thresholds default_source default_tax_rates "
    "invoice_settings off_session on_behalf_of payment_behavior payment_settings pending_invoice_item_interval "
    "transfer_data trial_from_plan"
)


def _check_collection(method: str, days: int | None) -> None:
    if method == "charge_automatically" and days is not None:
        message = "`days_until_due` can only be specified if `collection_method` is set to `send_invoice`."
        raise StripeError(message, param="days_until_due")
    if method == "send_invoice" and days is None:
        message = "If `collection_method` is set to `send_invoice`, you must specify `days_until_due`."
        raise StripeError(message, code="parameter_missing", param="days_until_due")


def create(ctx: Context) -> Text:
    """Create a subscription, which is active or on trial immediately."""
    params = ctx.params
    customer = ctx.load("customer", params["customer"], "customer")
    _check_collection(params.get("collection_method", "charge_automatically"), params.get("days_until_due"))
    if "trial_end" in params and "trial_period_days" in params:
        raise StripeError("You may only specify one of these parameters: trial_end, trial_period_days.")
    if params.get("cancel_at") is not None and params.get("cancel_at_period_end"):
        raise StripeError("You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
    subscription = new_subscription(ctx, customer)
    check_subscriber(ctx.account.country, subscription, customer)
    _set_discounts(ctx, subscription)
    if ctx.behaviour.subscription_invoices:
        _bill_creation(ctx, subscription)
        customer = ctx.load("customer", customer["id"])  # the invoice has used a number
    text = ctx.save("subscription", subscription, "customer.subscription.created")
    schedule(ctx, subscription)
    if customer["currency"] is None:
        before = dict(customer)
        customer["currency"] = subscription["currency"]
        ctx.save("customer", customer, "customer.updated", before=before)
    return text


def _bill_creation(ctx: Context, subscription: Obj) -> None:
    """Bill the first invoice; if it cannot be charged, the subscription stays incomplete."""
    free = ctx.params.get("proration_behavior") == "none" and subscription["billing_cycle_anchor"] > ctx.now
    invoice = bill_now(
        ctx, subscription, "subscription_create", lambda item: Decimal(0) if free else first_share(subscription, item)
    )
    if invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically":
        subscription["status"] = "incomplete"


def retrieve(ctx: Context) -> Text:
    """Return a subscription."""
    return ctx.text("subscription", ctx.ids[0])


def _set_discounts(ctx: Context, subscription: Obj) -> None:
    if "discounts" in ctx.params:
        owner = {"customer": subscription["customer"], "subscription": subscription["id"]}
        subscription["discounts"] = given_discounts(ctx, subscription, ctx.params["discounts"], **owner)


def _move_anchor(ctx: Context, subscription: Obj) -> None:
    if ctx.params.get("billing_cycle_anchor") == "now":
        if ctx.params.get("proration_behavior") != "none":
            raise unsupported_param("billing_cycle_anchor with prorations")
        reset_anchor(ctx, subscription)


def _apply(ctx: Context, subscription: Obj) -> None:
    params = ctx.params
    for name in ("collection_method", "days_until_due", "default_payment_method", "description", "trial_settings"):
        if name in params:
            subscription[name] = params[name]
    if subscription["collection_method"] == "charge_automatically" and "days_until_due" not in params:
        subscription["days_until_due"] = None
    _check_collection(subscription["collection_method"], subscription["days_until_due"])
    if "automatic_tax" in params:
        enable(subscription, params["automatic_tax"])
    if {"automatic_tax", "collection_method"} & set(params):
        check_subscriber(ctx.account.country, subscription, ctx.load("customer", subscription["customer"]))
    _set_discounts(ctx, subscription)
    if "trial_end" in params:
        set_trial_end(ctx, subscription, params["trial_end"])
    if "items" in params:
        change_items(ctx, subscription, params["items"])
    _move_anchor(ctx, subscription)
    if "pause_collection" in params:
        pause = params["pause_collection"]
        subscription["pause_collection"] = None if pause is None else {"resumes_at": None, **pause}
    if "cancel_at" in params or "cancel_at_period_end" in params:
        set_cancellation(ctx, subscription)


def update(ctx: Context) -> Text:
    """Change a subscription, or only metadata and cancellation details of a canceled one."""
    subscription = ctx.load("subscription", ctx.ids[0])
    before = dict(subscription)
    params = ctx.params
    if subscription["status"] in ENDED and set(params) - {"metadata", "cancellation_details", "expand"}:
        raise StripeError(
            "A canceled subscription can only update its cancellation_details and metadata.",
            param=min(set(params) - {"metadata", "cancellation_details", "expand"}),
        )
    if "metadata" in params:
        subscription["metadata"] = merge_metadata(subscription["metadata"], params["metadata"])
    if "cancellation_details" in params:
        subscription["cancellation_details"] = {
            **subscription["cancellation_details"],
            **params["cancellation_details"],
        }
    if subscription["status"] not in ENDED:
        _apply(ctx, subscription)
        ended_trial = before["status"] == "trialing" and subscription["status"] == "active"
        if ctx.behaviour.subscription_invoices and (ended_trial or params.get("billing_cycle_anchor") == "now"):
            bill_now(ctx, subscription, "subscription_update", whole)
        schedule(ctx, subscription)
    return ctx.save("subscription", subscription, "customer.subscription.updated", before=before)


def cancel(ctx: Context) -> Text:
    """Cancel immediately; with `invoice_now` a final draft is created first."""
    subscription = ctx.load("subscription", ctx.ids[0])
    if subscription["status"] in ENDED:
        raise missing_object("subscription", subscription["id"])
    if ctx.params.get("prorate"):
        raise unsupported_param("prorate")
    if ctx.params.get("invoice_now"):
        if not ctx.behaviour.subscription_invoices:
            raise unsupported_param("invoice_now")
        bill_end(ctx, subscription, ctx.now)
    details = ctx.params.get("cancellation_details") or {}
    subscription["cancellation_details"] = {**subscription["cancellation_details"], **details}
    return end_subscription(ctx, subscription, "cancellation_requested")


def resume(ctx: Context) -> Text:
    """Resume a paused subscription, by default in a new period that begins now."""
    subscription = ctx.load("subscription", ctx.ids[0])
    if subscription["status"] != "paused":
        message = f"You can only resume paused subscriptions. This subscription is {subscription['status']}."
        raise StripeError(message)
    before = dict(subscription)
    restarts = ctx.params.get("billing_cycle_anchor", "now") == "now"
    subscription["status"] = "active"
    if restarts:
        subscription["billing_cycle_anchor"] = ctx.now
    set_periods(subscription, ctx.now)
    if ctx.behaviour.subscription_invoices and (restarts or ctx.params.get("proration_behavior") != "none"):
        bill_now(ctx, subscription, "subscription_update", whole if restarts else lambda item: rest(item, ctx.now))
    schedule(ctx, subscription)
    events = ("customer.subscription.updated", "customer.subscription.resumed")
    return ctx.save("subscription", subscription, *events, before=before)


def search(ctx: Context) -> Text:
    """Search subscriptions; the result lags behind writes."""
    return ctx.found("subscription", "/v1/subscriptions/search")


def list_all(ctx: Context) -> Text:
    """List subscriptions, newest first; without `status`, all but the canceled ones."""
    query = Query("subscription")
    status = ctx.params.get("status")
    if status is None:
        query.where.append(("status <> 'canceled'", None))
    elif status == "ended":
        query.where.append(("status IN ('canceled', 'incomplete_expired')", None))
    elif status != "all":
        query.where.append(("status = ?", status))
    if "automatic_tax" in ctx.params:
        query.where.append(
            ("json_extract(body, '$.automatic_tax.enabled') = ?", ctx.params["automatic_tax"]["enabled"])
        )
    return ctx.listing("/v1/subscriptions", query, {"customer": "customer", "collection_method": "$.collection_method"})


_STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing",
    "unpaid",
)  # fmt: skip
_CREATE = Params(
    _FIELDS,
    backdate_start_date=timestamp(),
    billing_cycle_anchor=timestamp(),
    currency=currency(),
    customer=string(),
    items=list_of(NEW_ITEM, most=20),
    trial_period_days=integer(1, 730),
    required=["customer", "items"],
    unsupported=_UNSUPPORTED + " billing_cycle_anchor_config billing_mode customer_account",
)
_UPDATE = Params(
    _FIELDS,
    billing_cycle_anchor=choice("now", "unchanged"),
    cancellation_details=CANCELLATION_DETAILS,
    items=list_of(CHANGED_ITEM, most=20),
    pause_collection=clearable(PAUSE_COLLECTION),
    unsupported=_UNSUPPORTED + " proration_date",
)
_LIST = listing(
    "current_period_end current_period_start customer_account price test_clock",
    automatic_tax=AUTOMATIC_TAX,
    collection_method=choice("charge_automatically", "send_invoice"),
    created=one_or_range(),
    customer=string(),
    status=choice(*_STATUSES),
)
_CANCEL = Params(cancellation_details=CANCELLATION_DETAILS, expand=EXPAND, invoice_now=boolean(), prorate=boolean())
_RESUME = Params(
    billing_cycle_anchor=choice("now", "unchanged"),
    expand=EXPAND,
    proration_behavior=choice("none", "create_prorations"),
    unsupported="proration_date",
)
ENDPOINTS = [
    Endpoint("POST", "/v1/subscriptions", _CREATE, create),
    Endpoint("GET", "/v1/subscriptions", _LIST, list_all),
    Endpoint("GET", "/v1/subscriptions/search", SEARCH, search),
    Endpoint("GET", "/v1/subscriptions/{}", Params(expand=EXPAND), retrieve),
    Endpoint("POST", "/v1/subscriptions/{}", _UPDATE, update),
    Endpoint("DELETE", "/v1/subscriptions/{}", _CANCEL, cancel),
    Endpoint("POST", "/v1/subscriptions/{}/resume", _RESUME, resume),
]
