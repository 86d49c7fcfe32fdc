"""Metadata keys on Stripe's objects. Stripe allows at most 40 characters and no brackets."""

INVOICE = "perdure_invoice"
ATTRIBUTION_ID = "attribution_id"
BILLING_PERIOD = "billing_period"
REPORT_ID = "report_id"
LINE = "perdure_line"
CREDIT_NOTE = "perdure_credit_note"
CREDIT_AMOUNT = "perdure_amount"
"""What a credit note of ours credits, in minor units before tax: its total in Stripe has tax and discounts."""

ADVANCE = "perdure_advance"
"""How Perdure left a draft's `auto_advance`, one of the following. A person's change of it in Stripe shows by that."""
ADVANCE_ON = "on"
ADVANCE_OFF = "off"
ADVANCE_KEPT = "kept"
"""It was off already, because a person holds the draft, and Perdure does not touch it."""
ADVANCE_PAUSED = "paused"
"""It was off already, because Stripe made the draft while collection was paused."""

OF_AN_INVOICE = (INVOICE, ATTRIBUTION_ID, BILLING_PERIOD, REPORT_ID)
