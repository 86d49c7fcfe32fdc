"""`perdure status`: everything that waits for a person, and the state of things."""
