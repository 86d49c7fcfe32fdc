"""Activities on PostgreSQL and the report store, one module per subject. Never imports `stripe`."""
