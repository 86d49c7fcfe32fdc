"""Messages of the one Stripe step on an invoice's common path: see docs/adr/0025."""
