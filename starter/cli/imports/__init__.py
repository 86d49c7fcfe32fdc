"""`perdure instances import`, and the code that it shares with `perdure accounts import`."""
