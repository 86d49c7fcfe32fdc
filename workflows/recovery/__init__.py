"""Workflows that restore what was lost."""
