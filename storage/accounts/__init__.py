"""Accounts, windows, policies and subscription faults in PostgreSQL."""
