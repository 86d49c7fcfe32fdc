"""Search attributes of the workflows. They hold no personal data, because codecs do not cover them."""

from temporalio.common import SearchAttributeKey

ATTRIBUTION_ID = SearchAttributeKey.for_keyword("AttributionId")
BILLING_PERIOD = SearchAttributeKey.for_keyword("BillingPeriod")
INVOICE_STATE = SearchAttributeKey.for_keyword("InvoiceState")
STRIPE_INVOICE_ID = SearchAttributeKey.for_keyword("StripeInvoiceId")

ALL = (ATTRIBUTION_ID, BILLING_PERIOD, INVOICE_STATE, STRIPE_INVOICE_ID)
