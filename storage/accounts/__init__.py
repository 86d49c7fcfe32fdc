"""Accounts, their windows, policies and faults in PostgreSQL."""
