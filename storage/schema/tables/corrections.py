"""Corrections of invoices, with the bill as corrected, and what is charged on the account's next invoice."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW, identity

CORRECTION = Table(
    "correction",
    METADATA,
    identity(),
    Column("key", KEYED, nullable=False, unique=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("rate_card_digest", Text, nullable=False),
    Column("repriced", Boolean, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", INSTANT, nullable=False, server_default=NOW),
    UniqueConstraint("invoice_id", "ordinal"),
)

CORRECTION_LINE = Table(
    "correction_line",
    METADATA,
    Column("correction_id", BigInteger, ForeignKey("correction.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("workspace_class", KEYED, nullable=False),
    Column("rate_from", INSTANT, nullable=False),
    Column("credits_per_minute", Numeric, nullable=False),
    Column("rated_as_default", Boolean, nullable=False),
    Column("price_per_credit", Numeric, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("quantity_us", Numeric),
    Column("credits", Numeric, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("step", Integer, nullable=False, server_default=text("1")),
    Column("tiers", JSONB),
    PrimaryKeyConstraint("correction_id", "line_no"),
    CheckConstraint("kind IN ('usage', 'tiers')", name="correction_line_kind"),
    CheckConstraint("(kind = 'tiers') = (tiers IS NOT NULL)", name="correction_line_tiers"),
)

ADJUSTMENT = Table(
    "adjustment",
    METADATA,
    identity(),
    Column("correction_id", BigInteger, ForeignKey("correction.id"), nullable=False, unique=True),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id")),
    Column("recorded_at", INSTANT, nullable=False, server_default=NOW),
    CheckConstraint("amount > 0", name="adjustment_amount_positive"),
    CheckConstraint("state IN ('waiting', 'charged', 'withdrawn')", name="adjustment_state"),
    CheckConstraint("(state = 'charged') = (invoice_id IS NOT NULL)", name="adjustment_charged"),
    Index("adjustment_waiting", "attribution_id", "currency", postgresql_where=text("state = 'waiting'")),
    Index("adjustment_invoice_id", "invoice_id"),
)
