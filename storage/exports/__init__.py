"""A whole period, row by row, for exports."""
