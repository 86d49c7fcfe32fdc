"""`perdure instances import`, and what it shares with `perdure accounts import`."""
