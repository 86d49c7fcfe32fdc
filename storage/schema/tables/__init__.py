"""The schema as SQLAlchemy's metadata: the result of all migrations (a test compares them).

Statements are kept next to the Python that calls them; this is the reference for the schema, with which
`alembic revision --autogenerate` compares a database.
"""

from storage.schema.tables import accounts, arrivals, audits, corrections, invoices, periods, totals, usage
from storage.schema.tables.metadata import METADATA

__all__ = ["METADATA", "accounts", "arrivals", "audits", "corrections", "invoices", "periods", "totals", "usage"]
