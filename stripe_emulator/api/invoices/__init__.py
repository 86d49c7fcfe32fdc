"""`/v1/invoices` and `/v1/invoiceitems`."""
