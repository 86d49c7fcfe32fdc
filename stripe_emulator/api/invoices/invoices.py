"""`/v1/invoices`: create, retrieve, list, search, update, delete. See `lines` and `lifecycle` for the rest."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.billing.invoices import parent_of
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import discounts, given_discounts, inherited
from stripe_emulator.engine.invoices.items import take_in_pending
from stripe_emulator.engine.invoices.lines import refresh
from stripe_emulator.engine.invoices.locations import missing_email
from stripe_emulator.engine.invoices.state import delete_draft, new_invoice, require_draft, set_schedule
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.engine.taxes import AUTOMATIC_TAX, enable
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import (
    EXPAND,
    SEARCH,
    Params,
    Spec,
    boolean,
    choice,
    clearable,
    currency,
    integer,
    listing,
    metadata,
    one_or_range,
    payment_method,
    string,
    timestamp,
)

_EDITABLE_LATER = {"metadata", "auto_advance", "default_payment_method", "expand"}
_FURTHEST = 5 * 366 * 86400


def check_collection(invoice: Obj, params: Obj, customer: Obj) -> None:
    """Set the collection method and the due date. `send_invoice` needs a due date; the other method allows none.

    Raises:
        StripeError: method and due date do not go together, or the customer has no email address to send it to.
    """
    method = params.get("collection_method", invoice["collection_method"])
    if method == "send_invoice" and customer["email"] is None:
        raise missing_email()
    days, date = params.get("days_until_due"), params.get("due_date")
    if days is not None and date is not None:
        raise StripeError("You may only specify one of these parameters: days_until_due, due_date.", param="due_date")
    if method == "charge_automatically":
        if days is not None or date is not None:
            name = "days_until_due" if days is not None else "due_date"
            message = f"`{name}` can only be specified if `collection_method` is set to `send_invoice`."
            raise StripeError(message, param=name)
        invoice["due_date"] = None
    elif days is not None:
        invoice["due_date"] = invoice["created"] + days * 86400
    elif date is not None:
        if date <= invoice["created"]:
            raise StripeError("Invalid due_date: must be in the future.", param="due_date")
        invoice["due_date"] = date
    elif invoice["due_date"] is None:
        message = "If `collection_method` is set to `send_invoice`, you must specify `due_date` or `days_until_due`."
        raise StripeError(message, code="parameter_missing", param="days_until_due")
    invoice["collection_method"] = method


def _check_currency(ctx: Context, customer: Obj, code: str) -> None:
    """Refuse a currency that differs from the customer's subscriptions and pending invoice items."""
    rows = ctx.store.run(
        "SELECT json_extract(body, '$.currency') FROM object WHERE customer=?1 AND ("
        "(kind='subscription' AND status<>'canceled') OR (kind='invoiceitem' AND parent IS NULL))",
        (customer["id"],),
    )
    for (other,) in rows:
        if other != code:
            raise StripeError(
                "You cannot combine currencies on a single customer. This customer has an active subscription, "
                f"subscription schedule, discount, quote, or invoice item with currency {other}.",
                param="currency",
            )


def _customer(ctx: Context) -> Obj:
    params = ctx.params
    subscription = None
    if "subscription" in params:
        subscription = ctx.load("subscription", params["subscription"], "subscription")
        if params.get("customer", subscription["customer"]) != subscription["customer"]:
            raise StripeError("The subscription does not belong to this customer.", param="subscription")
    owner = params.get("customer") or (subscription or {}).get("customer")
    if owner is None:
        raise StripeError("Missing required param: customer.", code="parameter_missing", param="customer")
    return ctx.load("customer", owner, "customer")


def _apply(ctx: Context, invoice: Obj) -> None:
    params = ctx.params
    for name in ("auto_advance", "description", "default_payment_method", "effective_at", "footer"):
        if name in params:
            invoice[name] = params[name]
    if "metadata" in params:
        invoice["metadata"] = merge_metadata(invoice["metadata"], params["metadata"])
    if "automatic_tax" in params:
        enable(invoice, params["automatic_tax"])
    at = params.get("automatically_finalizes_at")
    if at is not None and not invoice["auto_advance"]:
        raise StripeError(
            "`automatically_finalizes_at` can only be set when `auto_advance` is true.",
            param="automatically_finalizes_at",
        )
    if at is not None and not ctx.now < at <= ctx.now + _FURTHEST:
        message = "`automatically_finalizes_at` must be in the future, at most 5 years ahead."
        raise StripeError(message, param="automatically_finalizes_at")


def create(ctx: Context) -> Text:
    """Create a draft, empty unless the request includes pending invoice items."""
    params = ctx.params
    customer = _customer(ctx)
    code = params.get("currency") or customer["currency"] or ctx.account.default_currency
    _check_currency(ctx, customer, code)
    invoice = new_invoice(ctx, customer, code)
    if "subscription" in params:
        subscription = ctx.load("subscription", params["subscription"])
        invoice["parent"] = parent_of(subscription)
    _apply(ctx, invoice)
    check_collection(invoice, params, customer)
    _remember_days(ctx, invoice)
    if "discounts" in params:
        invoice["discounts"] = _discounts(ctx, invoice)
    else:
        invoice["discounts"] = inherited(ctx, invoice, customer)
        customer = ctx.load("customer", customer["id"])  # a discount for one invoice has ended
    if invoice["discounts"]:
        refresh(ctx, invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        take_in_pending(ctx, invoice)
    set_schedule(ctx, invoice, params.get("automatically_finalizes_at"))
    if customer["currency"] is None:
        before = dict(customer)
        customer["currency"] = code
        ctx.save("customer", customer, "customer.updated", before=before)
    return ctx.save("invoice", invoice, "invoice.created")


def _discounts(ctx: Context, invoice: Obj) -> list[str]:
    owner = {"customer": invoice["customer"], "invoice": invoice["id"]}
    return given_discounts(ctx, invoice, ctx.params["discounts"], **owner)


def _remember_days(ctx: Context, invoice: Obj) -> None:
    """Keep the days until due, which the invoice does not show: finalization counts them from its own time."""
    days = ctx.params.get("days_until_due")
    if days is not None:
        ctx.store.set_meta(f"days/{invoice['id']}", days)
    elif "due_date" in ctx.params or invoice["collection_method"] == "charge_automatically":
        ctx.store.run("DELETE FROM meta WHERE name=?", (f"days/{invoice['id']}",))


def retrieve(ctx: Context) -> Text:
    """Return an invoice with its first ten lines."""
    return ctx.text("invoice", ctx.ids[0])


def list_all(ctx: Context) -> Text:
    """List invoices, newest first; strongly consistent."""
    equal = {
        "customer": "customer",
        "status": "status",
        "subscription": "parent",
        "collection_method": "$.collection_method",
    }
    return ctx.listing("/v1/invoices", Query("invoice"), equal)


def search(ctx: Context) -> Text:
    """Search invoices; the result lags behind writes."""
    return ctx.found("invoice", "/v1/invoices/search")


def update(ctx: Context) -> Text:
    """Change a draft, or only metadata, auto_advance and the payment method of a finalized invoice."""
    invoice = ctx.load("invoice", ctx.ids[0])
    before = dict(invoice)
    if set(ctx.params) - _EDITABLE_LATER:
        require_draft(invoice, "Finalized invoices can't be updated in this way")
    _apply(ctx, invoice)
    if invoice["status"] == "draft":
        check_collection(invoice, ctx.params, ctx.load("customer", invoice["customer"], "customer"))
        _remember_days(ctx, invoice)
        set_schedule(ctx, invoice, ctx.params.get("automatically_finalizes_at"))
        if "discounts" in ctx.params:
            invoice["discounts"] = _discounts(ctx, invoice)
            refresh(ctx, invoice)
    elif not invoice["auto_advance"]:
        invoice["next_payment_attempt"] = None
    return ctx.save("invoice", invoice, "invoice.updated", before=before)


def delete(ctx: Context) -> Obj:
    """Delete a draft."""
    invoice = ctx.load("invoice", ctx.ids[0])
    require_draft(invoice, "You can only delete draft invoices; finalized ones can be voided.")
    return delete_draft(ctx, invoice)


_FIELDS: dict[str, Spec] = {
    "auto_advance": boolean(),
    "automatic_tax": AUTOMATIC_TAX,
    "automatically_finalizes_at": timestamp(),
    "collection_method": choice("charge_automatically", "send_invoice"),
    "days_until_due": integer(0, 3650),
    "default_payment_method": payment_method(),
    "description": clearable(string(1500)),
    "discounts": discounts(),
    "due_date": timestamp(),
    "effective_at": clearable(timestamp()),
    "expand": EXPAND,
    "footer": clearable(string()),
    "metadata": metadata(),
}
_UNSUPPORTED = (
    "account_tax_ids application_fee_amount custom_fields default_source default_tax_rates "
    "issuer number on_behalf_of payment_settings rendering shipping_cost shipping_details statement_descriptor "
    "transfer_data"
)
_CREATE = Params(
    _FIELDS,
    currency=currency(),
    customer=string(),
    pending_invoice_items_behavior=choice("exclude", "include"),
    subscription=string(),
    unsupported=_UNSUPPORTED + " customer_account from_invoice",
)
_LIST = listing(
    "customer_account due_date",
    collection_method=choice("charge_automatically", "send_invoice"),
    created=one_or_range(),
    customer=string(),
    status=choice("draft", "open", "paid", "uncollectible", "void"),
    subscription=string(),
)
ENDPOINTS = [
    Endpoint("POST", "/v1/invoices", _CREATE, create),
    Endpoint("GET", "/v1/invoices", _LIST, list_all),
    Endpoint("GET", "/v1/invoices/search", SEARCH, search),
    Endpoint("GET", "/v1/invoices/{}", Params(expand=EXPAND), retrieve),
    Endpoint("POST", "/v1/invoices/{}", Params(_FIELDS, unsupported=_UNSUPPORTED), update),
    Endpoint("DELETE", "/v1/invoices/{}", Params(), delete),
]
