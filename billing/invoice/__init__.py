"""Invoices: record, key, states, policies and credit notes."""
