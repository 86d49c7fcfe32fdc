"""The billing core: periods, rating, money, invoices and reports. Pure: no I/O, no Temporal, no Stripe."""
