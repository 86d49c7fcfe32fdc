"""`perdure report`."""
