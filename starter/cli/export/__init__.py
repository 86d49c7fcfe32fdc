"""`perdure export`."""
