"""How invoices behave: items, lines, totals, finalization, payment, disputes."""
