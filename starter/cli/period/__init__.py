"""`perdure period`."""
