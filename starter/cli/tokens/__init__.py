"""`perdure tokens`."""
