"""How invoices behave: lines, totals, finalization, payment, disputes."""
