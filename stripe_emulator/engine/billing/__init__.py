"""Automatic billing of subscriptions, as the clock reaches their cycles."""
