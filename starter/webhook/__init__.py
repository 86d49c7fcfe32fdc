"""The webhook: receives Stripe's signed events and wakes the workflows they concern."""
