"""The tables of audits, in the schema of `storage.tables`. They hold no money: they may be emptied at any time."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from storage.tables import METADATA

_KEYED = Text(collation="C")


def _audit_id() -> Column[str]:
    return Column("audit_id", _KEYED, ForeignKey("audit_run.id", ondelete="CASCADE"), nullable=False)


AUDIT_RUN = Table(
    "audit_run",
    METADATA,
    Column("id", _KEYED, primary_key=True),
    Column("billing_period", _KEYED),
    Column("attribution_id", _KEYED),
    Column("stuck_after", Interval, nullable=False),
    Column("started_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("finished_at", TIMESTAMP(timezone=True)),
)

AUDIT_CHECK = Table(
    "audit_check",
    METADATA,
    _audit_id(),
    Column("name", Text, nullable=False),
    Column("figures", JSONB, nullable=False),
    Column("discrepancies", BigInteger, nullable=False),
    Column("checked_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("audit_id", "name"),
)

AUDIT_FINDING = Table(
    "audit_finding",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _audit_id(),
    Column("check_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("attribution_id", _KEYED),
    Column("instance_id", _KEYED),
    Column("invoice_key", _KEYED),
    Column("stripe_id", Text),
    Column("report_id", Text),
    Column("detail", Text, nullable=False),
    Index("audit_finding_audit_id", "audit_id", "check_name"),
)

AUDIT_STRIPE_INVOICE = Table(
    "audit_stripe_invoice",
    METADATA,
    _audit_id(),
    Column("stripe_invoice_id", _KEYED, nullable=False),
    Column("invoice_key", _KEYED, nullable=False),
    Column("status", Text, nullable=False),
    PrimaryKeyConstraint("audit_id", "stripe_invoice_id"),
)
