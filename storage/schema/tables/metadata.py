"""The schema that all tables belong to, and the column types that they share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, MetaData, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

METADATA = MetaData()

KEYED = Text(collation="C")
"""Text that pages are keyed by: its order is the same on every server."""
INSTANT = TIMESTAMP(timezone=True)
NOW = text("now()")


def identity() -> Column[int]:
    """Return a primary key column that PostgreSQL numbers."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)
