"""Postgres (tables, migrations, queries) and the report store. Imports of the product: `billing` alone."""
