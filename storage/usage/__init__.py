"""Workspace instances in PostgreSQL, and the fate of each interval."""
