"""Figures of all periods together, for the console's first page."""
