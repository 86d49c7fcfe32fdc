"""Metadata keys on Stripe's objects. Stripe allows at most 40 characters and no brackets."""

INVOICE = "perdure_invoice"
ATTRIBUTION_ID = "attribution_id"
BILLING_PERIOD = "billing_period"
REPORT_ID = "report_id"
LINE = "perdure_line"
CREDIT_NOTE = "perdure_credit_note"

OF_AN_INVOICE = (INVOICE, ATTRIBUTION_ID, BILLING_PERIOD, REPORT_ID)
