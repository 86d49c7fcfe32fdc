"""Campaigns against the product: chaos, crash points, attacks on the webhook, and fuzzing."""
