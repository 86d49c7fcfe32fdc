"""Invoices, decisions on them, credit notes and disputes in PostgreSQL."""
