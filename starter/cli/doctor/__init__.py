"""`perdure doctor`."""
