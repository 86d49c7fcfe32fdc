"""`perdure sources`."""
