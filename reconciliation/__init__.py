"""Comparisons and decisions between our books and Stripe's. Pure: neither a database nor Temporal."""
