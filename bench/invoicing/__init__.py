"""Invoices from claimed to billed, next to an empty workflow of the same shape."""
