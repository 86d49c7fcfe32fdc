"""The one schema that all tables belong to, and the types that they share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, MetaData, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

METADATA = MetaData()

KEYED = Text(collation="C")
"""A text that pages are keyed by: its order is the same on every server."""
INSTANT = TIMESTAMP(timezone=True)
NOW = text("now()")


def identity() -> Column[int]:
    """A number that PostgreSQL gives each row."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)
