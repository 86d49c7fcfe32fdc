"""The billing core: periods, rating, money, invoices, reports. Pure: no I/O, no Temporal, no Stripe."""
