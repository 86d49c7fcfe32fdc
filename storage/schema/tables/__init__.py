"""The schema as SQLAlchemy's metadata: what the migrations add up to (a test compares them).

Statements are beside the Python that calls them; this is the schema's reference, and what
`alembic revision --autogenerate` compares a database with.
"""

from storage.schema.tables import accounts, audits, invoices, periods
from storage.schema.tables.metadata import METADATA

__all__ = ["METADATA", "accounts", "audits", "invoices", "periods"]
