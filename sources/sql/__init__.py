"""Usage in somebody's database: Postgres, MySQL or MariaDB, SQLite. Read only, streamed, bounded in time."""
