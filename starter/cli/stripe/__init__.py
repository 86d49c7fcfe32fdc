"""`perdure stripe`."""
