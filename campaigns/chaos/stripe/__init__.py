"""Stripe in a campaign: random subscriptions, and the emulator as a person uses it."""
