"""Statements of invoices, read from Postgres and the report store."""
