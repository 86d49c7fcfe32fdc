"""`perdure explain`."""
