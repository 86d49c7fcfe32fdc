"""Claims: the billable usage of a page of accounts becomes invoices."""
