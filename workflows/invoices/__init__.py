"""Workflows of an invoice and of a credit note."""
