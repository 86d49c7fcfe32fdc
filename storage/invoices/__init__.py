"""Invoices in PostgreSQL, with the decisions on them, credit notes and disputes."""
