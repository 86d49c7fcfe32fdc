"""Statements: an invoice as its customer reads it, from each instance to the total."""
