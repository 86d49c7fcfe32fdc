"""The schema as SQLAlchemy's metadata: what the migrations add up to (a test compares them).

Statements are in `storage/sql`; this is the schema's reference, and what `alembic revision --autogenerate`
compares a database with.
"""

from storage.tables import accounts, audits, invoices, periods
from storage.tables.metadata import METADATA

__all__ = ["METADATA", "accounts", "audits", "invoices", "periods"]
