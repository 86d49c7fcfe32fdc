"""Sample data: one month, May 2022, of a small fleet; see `generate`."""
