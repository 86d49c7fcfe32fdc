"""`perdure invoices`."""
