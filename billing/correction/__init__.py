"""Corrections: what a customer owes for an invoice by what is known now, and how the difference is offset."""
