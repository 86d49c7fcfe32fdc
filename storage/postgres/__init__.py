"""PostgreSQL itself: the connection pool, SQL statements by name, roles, upgrades."""
