"""Usage that arrives by itself: a product's own database, which a source reads, and events and rows for the API."""
