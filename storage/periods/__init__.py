"""Billing periods in PostgreSQL: pages of accounts, progress, summaries."""
