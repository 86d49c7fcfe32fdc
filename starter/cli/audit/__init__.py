"""`perdure audit`."""
