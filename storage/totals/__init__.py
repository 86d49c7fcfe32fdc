"""Usage of settled invoices by day, and totals over it."""
