"""The audit's activities on PostgreSQL and the report store."""
