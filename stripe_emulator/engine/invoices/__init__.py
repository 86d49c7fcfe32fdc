"""The behavior of invoices: items, lines, totals, finalization, payment, disputes."""
