"""The schema as SQLAlchemy's metadata: what the migrations add up to (a test compares them).

Statements are in `storage/sql`; this is the schema's reference, and what `alembic revision --autogenerate`
compares a database with.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, TSTZRANGE, ExcludeConstraint

METADATA = MetaData()

_KEYED = Text(collation="C")
"""A text that pages are keyed by: its order is the same on every server."""
_INSTANT = TIMESTAMP(timezone=True)
_NOW = text("now()")


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


ACCOUNT = Table(
    "account",
    METADATA,
    Column("attribution_id", _KEYED, primary_key=True),
    Column("stripe_customer_id", Text, unique=True),
    Column("currency", Text, nullable=False),
    Column("bill_after", _INSTANT),
    Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    CheckConstraint(
        text(r"attribution_id ~ '^(team|user)\:[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}$'"),
        name="account_attribution_id_form",
    ),
    CheckConstraint("currency ~ '^[a-z]{3}$'", name="account_currency_form"),
)

SUBSCRIPTION = Table(
    "subscription",
    METADATA,
    _id(),
    Column("attribution_id", _KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("stripe_subscription_id", Text),
    Column("part", SmallInteger, nullable=False, server_default=text("1")),
    Column("during", TSTZRANGE, nullable=False),
    UniqueConstraint("stripe_subscription_id", "part", name="subscription_parts"),
    CheckConstraint(
        "NOT isempty(during) AND NOT lower_inf(during) AND lower_inc(during) AND NOT upper_inc(during)",
        name="subscription_during_form",
    ),
    ExcludeConstraint(("attribution_id", "="), ("during", "&&"), using="gist", name="subscription_never_two_at_once"),
    Index("subscription_attribution_id", "attribution_id"),
)

WORKSPACE_INSTANCE = Table(
    "workspace_instance",
    METADATA,
    Column("id", _KEYED, primary_key=True),
    Column("attribution_id", _KEYED),
    Column("workspace_id", Text),
    Column("project_id", Text),
    Column("owner_id", Text),
    Column("workspace_class", _KEYED),
    Column("workspace_type", Text),
    Column("creation_time", _INSTANT),
    Column("started_time", _INSTANT),
    Column("stopping_time", _INSTANT),
    Column("stopped_time", _INSTANT),
    Column(
        "lifetime",
        TSTZRANGE,
        Computed(
            "CASE WHEN creation_time IS NOT NULL AND started_time IS NOT NULL "
            "AND started_time <= coalesce(stopping_time, stopped_time, started_time) "
            "THEN tstzrange(started_time, coalesce(stopping_time, stopped_time)) END",
            persisted=True,
        ),
    ),
    Index("workspace_instance_attribution_id", "attribution_id"),
)

INVOICE = Table(
    "invoice",
    METADATA,
    _id(),
    Column("key", _KEYED, nullable=False, unique=True),
    Column("attribution_id", _KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("billing_period", _KEYED, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("ordinal", Integer, nullable=False, server_default=text("1")),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("state", Text, nullable=False),
    Column("blocked_reason", Text),
    Column("blocked_since", _INSTANT),
    Column("resume_state", Text),
    Column("cutoff", _INSTANT, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("rate_card_digest", Text, nullable=False),
    Column("stripe_customer_id", Text),
    Column("report_id", Text),
    Column("stripe_invoice_id", Text, unique=True),
    Column("claimed_at", _INSTANT, nullable=False, server_default=_NOW),
    Column("drafted_at", _INSTANT),
    Column("finalized_at", _INSTANT),
    Column("billed_at", _INSTANT),
    Column("paid_at", _INSTANT),
    Column("uncollectible_at", _INSTANT),
    Column("voided_at", _INSTANT),
    Column("updated_at", _INSTANT, nullable=False, server_default=_NOW),
    Column("charge_on", Text, nullable=False, server_default="own"),
    Column("finalization", Text, nullable=False, server_default="at_once"),
    Column("finalize_at", _INSTANT),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("blocked_kind", Text),
    Column("approved_amount", BigInteger),
    Column("approved_at", _INSTANT),
    Column("approved_by", Text),
    Column("found_subtotal", BigInteger),
    Column("found_digest", Text),
    Column("accepted_subtotal", BigInteger),
    Column("accepted_digest", Text),
    Column("replaces_stripe_invoice_id", Text),
    Column("void_requested_at", _INSTANT),
    Column("void_requested_by", Text),
    Column("void_reason", Text),
    Column("written_off", Boolean, nullable=False, server_default=text("false")),
    Column("payment_attempts", Integer, nullable=False, server_default=text("0")),
    Column("payment_failed_at", _INSTANT),
    CheckConstraint("charge_on IN ('own', 'subscription')", name="invoice_charge_on"),
    CheckConstraint("finalization IN ('at_once', 'grace', 'approval')", name="invoice_finalization"),
    CheckConstraint("blocked_kind IN ('error', 'limit', 'edited')", name="invoice_blocked_kind"),
    CheckConstraint("(approved_amount IS NULL) = (approved_at IS NULL)", name="invoice_approval"),
    CheckConstraint("(accepted_subtotal IS NULL) = (accepted_digest IS NULL)", name="invoice_accepted"),
    CheckConstraint(
        "state IN ('claimed', 'draft', 'finalized', 'billed', 'paid', 'voided', 'deleted', 'uncollectible', 'blocked')",
        name="invoice_state_known",
    ),
    CheckConstraint(
        "(state = 'blocked') = (blocked_reason IS NOT NULL) "
        "AND (state = 'blocked') = (blocked_since IS NOT NULL) "
        "AND (state = 'blocked') = (resume_state IS NOT NULL)",
        name="invoice_blocked_says_why",
    ),
    Index(
        "invoice_one_live",
        "billing_period",
        "attribution_id",
        "reason",
        "subject",
        unique=True,
        postgresql_where=text("state NOT IN ('voided', 'deleted')"),
    ),
    Index("invoice_attribution_id", "attribution_id"),
    Index("invoice_billing_period", "billing_period", "attribution_id"),
)

INVOICE_LINE = Table(
    "invoice_line",
    METADATA,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("workspace_class", _KEYED, nullable=False),
    Column("rate_from", _INSTANT, nullable=False),
    Column("credits_per_minute", Numeric, nullable=False),
    Column("rated_as_default", Boolean, nullable=False),
    Column("price_per_credit", Numeric, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("carried_us", BigInteger, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, server_default="usage"),
    Column("tiers", JSONB),
    PrimaryKeyConstraint("invoice_id", "line_no"),
    CheckConstraint("kind IN ('usage', 'tiers')", name="invoice_line_kind"),
    CheckConstraint("(kind = 'tiers') = (tiers IS NOT NULL)", name="invoice_line_tiers"),
)

INVOICE_MONTH = Table(
    "invoice_month",
    METADATA,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("month", _KEYED, nullable=False),
    Column("position", Numeric, nullable=False),
    Column("credits", Numeric, nullable=False),
    PrimaryKeyConstraint("invoice_id", "month", "position"),
)

CLAIM = Table(
    "claim",
    METADATA,
    Column("invoice_id", BigInteger, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("instance_id", _KEYED, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    CheckConstraint(
        "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during) "
        "AND lower_inc(during) AND NOT upper_inc(during)",
        name="claim_during_form",
    ),
    ExcludeConstraint(("instance_id", "="), ("during", "&&"), using="gist", name="claim_never_twice"),
    Index("claim_invoice_id", "invoice_id"),
)

CLAIM_HISTORY = Table(
    "claim_history",
    METADATA,
    _id(),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("instance_id", _KEYED, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("released_at", _INSTANT, nullable=False, server_default=_NOW),
    Column("reason", Text, nullable=False),
    Index("claim_history_invoice_id", "invoice_id"),
    Index("claim_history_instance_id", "instance_id"),
)

CREDIT_NOTE = Table(
    "credit_note",
    METADATA,
    _id(),
    Column("key", _KEYED, nullable=False, unique=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("line_no", SmallInteger),
    Column("instance_id", _KEYED),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("settle_to", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("blocked_reason", Text),
    Column("stripe_credit_note_id", Text, unique=True),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("requested_at", _INSTANT, nullable=False, server_default=_NOW),
    Column("issued_at", _INSTANT),
    Column("voided_at", _INSTANT),
    CheckConstraint("amount > 0", name="credit_note_amount_positive"),
    CheckConstraint(
        "kind IN ('amount', 'line', 'instance') "
        "AND (kind = 'line') = (line_no IS NOT NULL) "
        "AND (kind = 'instance') = (instance_id IS NOT NULL)",
        name="credit_note_kind_names_its_target",
    ),
    CheckConstraint("settle_to IN ('balance', 'refund', 'out-of-band')", name="credit_note_settle_to_known"),
    CheckConstraint("state IN ('requested', 'issued', 'voided', 'blocked')", name="credit_note_state_known"),
    CheckConstraint("(state = 'blocked') = (blocked_reason IS NOT NULL)", name="credit_note_blocked_says_why"),
    CheckConstraint("state <> 'issued' OR stripe_credit_note_id IS NOT NULL", name="credit_note_issued_in_stripe"),
    Index("credit_note_invoice_id", "invoice_id"),
)

CREDIT_NOTE_LINE = Table(
    "credit_note_line",
    METADATA,
    Column("credit_note_id", BigInteger, ForeignKey("credit_note.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("credit_note_id", "line_no"),
    CheckConstraint("amount > 0", name="credit_note_line_amount_positive"),
)

ACCOUNT_OUTCOME = Table(
    "account_outcome",
    METADATA,
    Column("billing_period", _KEYED, nullable=False),
    Column("attribution_id", _KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("updated_at", _INSTANT, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("billing_period", "attribution_id"),
    CheckConstraint("outcome IN ('below_minimum', 'blocked')", name="account_outcome_known"),
)

PERIOD_SUMMARY = Table(
    "period_summary",
    METADATA,
    Column("billing_period", _KEYED, primary_key=True),
    Column("summary", JSONB, nullable=False),
    Column("settled_at", _INSTANT, nullable=False, server_default=_NOW),
)

ACCOUNT_POLICY = Table(
    "account_policy",
    METADATA,
    Column("attribution_id", _KEYED, ForeignKey("account.attribution_id"), primary_key=True),
    Column("charge_on", Text),
    Column("finalization", Text),
    Column("limit_amount", BigInteger),
    Column("limit_multiple", Numeric),
    Column("limit_carried_share", Numeric),
    Column("included_credits", Numeric),
    Column("updated_at", _INSTANT, nullable=False, server_default=_NOW),
    CheckConstraint("charge_on IN ('own', 'subscription')", name="account_policy_charge_on"),
    CheckConstraint("finalization IN ('at_once', 'grace', 'approval')", name="account_policy_finalization"),
    CheckConstraint(
        "limit_amount >= 0 AND limit_multiple > 0 AND limit_carried_share >= 0 AND included_credits >= 0",
        name="account_policy_limits",
    ),
)

SUBSCRIPTION_FAULT = Table(
    "subscription_fault",
    METADATA,
    Column("stripe_subscription_id", Text, primary_key=True),
    Column("attribution_id", _KEYED),
    Column("reason", Text, nullable=False),
    Column("since", _INSTANT, nullable=False, server_default=_NOW),
)

PERIOD_HOLD = Table(
    "period_hold",
    METADATA,
    Column("billing_period", _KEYED, primary_key=True),
    Column("reason", Text),
    Column("since", _INSTANT),
    Column("totals", JSONB, nullable=False),
    Column("approved", JSONB),
    Column("approved_at", _INSTANT),
    Column("approved_by", Text),
)

STRIPE_EVENT_CURSOR = Table(
    "stripe_event_cursor",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_created", _INSTANT, nullable=False),
    Column("adopted_until", _INSTANT),
    Column("updated_at", _INSTANT, nullable=False, server_default=_NOW),
)

DISPUTE = Table(
    "dispute",
    METADATA,
    Column("stripe_dispute_id", Text, primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", _INSTANT, nullable=False),
    Column("closed_at", _INSTANT),
    Column("updated_at", _INSTANT, nullable=False, server_default=_NOW),
    Index("dispute_invoice_id", "invoice_id"),
)
