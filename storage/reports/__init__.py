"""The report store, and reports as PostgreSQL gives them."""
