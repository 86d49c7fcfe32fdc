"""Nested parameters of subscriptions."""

from __future__ import annotations

from stripe_emulator.api.catalog import INTERVAL
from stripe_emulator.params.specs import (
    Params,
    Spec,
    boolean,
    choice,
    clearable,
    currency,
    decimal,
    integer,
    metadata,
    string,
    timestamp,
)

CANCELLATION_DETAILS = Params(
    comment=clearable(string()),
    feedback=clearable(
        choice(
            "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex",
            "too_expensive", "unused",
        )
    ),
    unsupported="feedback_option",
)  # fmt: skip
PAUSE_COLLECTION = Params(
    behavior=choice("keep_as_draft", "mark_uncollectible", "void"), resumes_at=timestamp(), required=["behavior"]
)
_PRICE_DATA = Params(
    currency=currency(),
    product=string(),
    recurring=INTERVAL,
    tax_behavior=choice("exclusive", "inclusive", "unspecified"),
    unit_amount=integer(),
    unit_amount_decimal=decimal(),
    required=["currency", "product", "recurring"],
)
_ITEM: dict[str, Spec] = {
    "metadata": metadata(),
    "price": string(),
    "price_data": _PRICE_DATA,
    "quantity": integer(0, 10**9),
}
NEW_ITEM = Params(_ITEM, unsupported="billing_thresholds discounts tax_rates")
CHANGED_ITEM = Params(
    _ITEM, id=string(), deleted=boolean(), unsupported="billing_thresholds clear_usage discounts tax_rates"
)
_END_BEHAVIOR = Params(
    missing_payment_method=choice("cancel", "create_invoice", "pause"), required=["missing_payment_method"]
)
TRIAL_SETTINGS = Params(end_behavior=_END_BEHAVIOR, required=["end_behavior"])
