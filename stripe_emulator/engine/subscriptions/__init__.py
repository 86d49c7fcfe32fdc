"""A subscription's state and its periods."""
