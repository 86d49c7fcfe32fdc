"""`perdure config`."""
