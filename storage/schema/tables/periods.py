"""The progress of periods, what workers use, accepted warnings, decisions, and the cursor of Stripe's events."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW, identity

ACCOUNT_OUTCOME = Table(
    "account_outcome",
    METADATA,
    Column("billing_period", KEYED, nullable=False),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("billing_period", "attribution_id", "currency"),
    Column("kind", Text),
    Column("left_us", BigInteger),
    CheckConstraint("kind IN ('unknown_class', 'refused', 'customer')", name="account_outcome_kind"),
    CheckConstraint("outcome IN ('below_minimum', 'blocked')", name="account_outcome_known"),
    Index("account_outcome_customer", "attribution_id", postgresql_where=text("kind = 'customer'")),
)

PERIOD_SUMMARY = Table(
    "period_summary",
    METADATA,
    Column("billing_period", KEYED, primary_key=True),
    Column("summary", JSONB, nullable=False),
    Column("settled_at", INSTANT, nullable=False, server_default=NOW),
)

PERIOD_HOLD = Table(
    "period_hold",
    METADATA,
    Column("billing_period", KEYED, primary_key=True),
    Column("reason", Text),
    Column("since", INSTANT),
    Column("totals", JSONB, nullable=False),
    Column("approved", JSONB),
    Column("approved_at", INSTANT),
    Column("approved_by", Text),
)

STRIPE_EVENT_CURSOR = Table(
    "stripe_event_cursor",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_created", INSTANT, nullable=False),
    Column("adopted_until", INSTANT),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Column("undelivered", BigInteger, nullable=False, server_default=text("0")),
    Column("undelivered_at", INSTANT),
    Column("delivered_at", INSTANT),
)

RATE_CARD = Table(
    "rate_card",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("first_used_at", INSTANT, nullable=False, server_default=NOW),
)

WORKER_SETTINGS = Table(
    "worker_settings",
    METADATA,
    Column("queue", Text, primary_key=True),
    Column("rate_card_digest", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("published_at", INSTANT, nullable=False, server_default=NOW),
)

DECISION = Table(
    "decision",
    METADATA,
    identity(),
    Column("kind", Text, nullable=False),
    Column("subject", KEYED, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_at", INSTANT, nullable=False, server_default=NOW),
    Column("origin", Text, nullable=False, server_default="command line"),
    Column("address", Text),
    Column("request", Text),
    CheckConstraint(
        "kind IN ('approve', 'accept', 'rebuild', 'retry', 'void', 'write_off', 'credit', 'retry_credit', "
        "'withdraw_credit', 'approve_period', 'without_source', 'trigger', 'run_period', 'pause', 'resume', 'sync', "
        "'audit', 'catch_up', 'policy', 'accept_warning', 'withdraw_warning', 'not_yet', 'correct')",
        name="decision_kind",
    ),
    UniqueConstraint("request", "kind", "subject", name="decision_request"),
    Index("decision_subject", "subject", "id"),
)

ACCEPTED_WARNING = Table(
    "accepted_warning",
    METADATA,
    Column("kind", Text, nullable=False),
    Column("subject", KEYED, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("accepted_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("kind", "subject"),
)
