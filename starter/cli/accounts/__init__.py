"""`perdure accounts`."""
