"""Billing periods in PostgreSQL: pages, progress, summaries."""
