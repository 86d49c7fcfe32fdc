"""Parameters of credit notes."""

from __future__ import annotations

from stripe_emulator.params.specs import EXPAND, Params, choice, integer, list_of, metadata, string, timestamp

_LINE = Params(
    amount=integer(1),
    description=string(),
    invoice_line_item=string(),
    metadata=metadata(),
    quantity=integer(0),
    type=choice("custom_line_item", "invoice_line_item"),
    unit_amount=integer(),
    required=["type"],
    unsupported="tax_amounts tax_rates unit_amount_decimal",
)
CREATE = Params(
    amount=integer(1),
    credit_amount=integer(0),
    effective_at=timestamp(),
    expand=EXPAND,
    invoice=string(),
    lines=list_of(_LINE, most=250),
    memo=string(),
    metadata=metadata(),
    out_of_band_amount=integer(0),
    reason=choice("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    refund_amount=integer(0),
    required=["invoice"],
    unsupported="email_type refunds shipping_cost",
)
