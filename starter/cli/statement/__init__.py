"""`perdure invoices statement`."""
