"""The workflows that follow Stripe: subscriptions, unlabeled invoices, disputes, accounts, events."""
