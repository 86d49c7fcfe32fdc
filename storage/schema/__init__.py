"""The schema: tables, migrations, grants."""
