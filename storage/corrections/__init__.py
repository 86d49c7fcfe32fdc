"""Corrections of invoices in Postgres: planned, recorded, read."""
