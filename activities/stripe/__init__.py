"""Activities on Stripe, one module per object. Never imports `storage`."""
