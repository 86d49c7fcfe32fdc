"""`perdure invoices correct`."""
