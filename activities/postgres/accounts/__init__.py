"""Accounts, and what Stripe says about their subscriptions, in Postgres."""
