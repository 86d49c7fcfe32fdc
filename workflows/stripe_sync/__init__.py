"""Workflows that follow Stripe: subscriptions, foreign invoices, disputes, accounts, events."""
