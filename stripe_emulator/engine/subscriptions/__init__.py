"""How subscriptions behave: periods, cycles, their invoices."""
