"""The tables of audits. They hold no money and can be emptied at any time."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW, identity


def _audit_id() -> Column[str]:
    return Column("audit_id", KEYED, ForeignKey("audit_run.id", ondelete="CASCADE"), nullable=False)


AUDIT_RUN = Table(
    "audit_run",
    METADATA,
    Column("id", KEYED, primary_key=True),
    Column("billing_period", KEYED),
    Column("attribution_id", KEYED),
    Column("stuck_after", Interval, nullable=False),
    Column("started_at", INSTANT, nullable=False, server_default=NOW),
    Column("finished_at", INSTANT),
)

AUDIT_CHECK = Table(
    "audit_check",
    METADATA,
    _audit_id(),
    Column("name", Text, nullable=False),
    Column("figures", JSONB, nullable=False),
    Column("discrepancies", BigInteger, nullable=False),
    Column("checked_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("audit_id", "name"),
)

AUDIT_FINDING = Table(
    "audit_finding",
    METADATA,
    identity(),
    _audit_id(),
    Column("check_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("attribution_id", KEYED),
    Column("instance_id", KEYED),
    Column("invoice_key", KEYED),
    Column("stripe_id", Text),
    Column("report_id", Text),
    Column("detail", Text, nullable=False),
    Index("audit_finding_audit_id", "audit_id", "check_name"),
)

AUDIT_STRIPE_INVOICE = Table(
    "audit_stripe_invoice",
    METADATA,
    _audit_id(),
    Column("stripe_invoice_id", KEYED, nullable=False),
    Column("invoice_key", KEYED, nullable=False),
    Column("status", Text, nullable=False),
    Column("stripe_customer_id", Text),
    Column("suspect", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("audit_id", "stripe_invoice_id"),
)

AUDIT_STRIPE_CREDIT_NOTE = Table(
    "audit_stripe_credit_note",
    METADATA,
    _audit_id(),
    Column("stripe_credit_note_id", KEYED, nullable=False),
    Column("stripe_invoice_id", KEYED, nullable=False),
    Column("credit_note_key", KEYED),
    Column("amount", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("total", BigInteger),
    PrimaryKeyConstraint("audit_id", "stripe_credit_note_id"),
    Index("audit_stripe_credit_note_invoice", "audit_id", "stripe_invoice_id"),
)
