"""The report store, and building reports from PostgreSQL."""
