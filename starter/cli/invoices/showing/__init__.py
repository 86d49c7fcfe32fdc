"""`perdure invoices show`."""
