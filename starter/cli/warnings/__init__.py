"""`perdure warnings`, and the warnings that other commands print."""
