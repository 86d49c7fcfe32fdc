"""Stripe's customers as payers: found by the account that they name, checked, created and updated."""
