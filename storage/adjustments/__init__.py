"""Adjustments: what corrections of invoices charge in addition, on the account's next invoice in that currency."""
