"""Invoices with their lines and claims, credit notes and disputes."""

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW, identity

INVOICE = Table(
    "invoice",
    METADATA,
    identity(),
    Column("key", KEYED, nullable=False, unique=True),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("billing_period", KEYED, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("ordinal", Integer, nullable=False, server_default=text("1")),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("state", Text, nullable=False),
    Column("blocked_reason", Text),
    Column("blocked_since", INSTANT),
    Column("resume_state", Text),
    Column("cutoff", INSTANT, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("rate_card_digest", Text, nullable=False),
    Column("stripe_customer_id", Text),
    Column("report_id", Text),
    Column("stripe_invoice_id", Text, unique=True),
    Column("claimed_at", INSTANT, nullable=False, server_default=NOW),
    Column("drafted_at", INSTANT),
    Column("finalized_at", INSTANT),
    Column("billed_at", INSTANT),
    Column("paid_at", INSTANT),
    Column("uncollectible_at", INSTANT),
    Column("voided_at", INSTANT),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Column("charge_on", Text, nullable=False, server_default="own"),
    Column("finalization", Text, nullable=False, server_default="at_once"),
    Column("finalize_at", INSTANT),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("blocked_kind", Text),
    Column("approved_amount", BigInteger),
    Column("approved_at", INSTANT),
    Column("approved_by", Text),
    Column("found_subtotal", BigInteger),
    Column("found_digest", Text),
    Column("accepted_subtotal", BigInteger),
    Column("accepted_digest", Text),
    Column("replaces_stripe_invoice_id", Text),
    Column("void_requested_at", INSTANT),
    Column("void_requested_by", Text),
    Column("void_reason", Text),
    Column("written_off", Boolean, nullable=False, server_default=text("false")),
    Column("payment_attempts", Integer, nullable=False, server_default=text("0")),
    Column("payment_failed_at", INSTANT),
    Column("service_start", INSTANT),
    Column("collection_stopped_at", INSTANT),
    Column("stripe_total", BigInteger),
    Column("stripe_discount", BigInteger),
    Column("stripe_tax", BigInteger),
    Column("stripe_number", Text),
    CheckConstraint("num_nulls(stripe_total, stripe_discount, stripe_tax) IN (0, 3)", name="invoice_stripe_total"),
    CheckConstraint("charge_on IN ('own', 'subscription')", name="invoice_charge_on"),
    CheckConstraint("finalization IN ('at_once', 'grace', 'approval')", name="invoice_finalization"),
    CheckConstraint(
        "blocked_kind IN ('error', 'limit', 'edited', 'currency', 'held_in_stripe', 'collection_paused')",
        name="invoice_blocked_kind",
    ),
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
    Index("invoice_amount", "currency", "amount", "id"),
    Index(
        "invoice_open",
        "billing_period",
        postgresql_where=text("state IN ('claimed', 'draft', 'finalized', 'blocked')"),
    ),
    Index("invoice_unpaid", "currency", "amount", postgresql_where=text("state = 'billed'")),
    Index(
        "invoice_not_collected",
        "collection_stopped_at",
        postgresql_where=text("collection_stopped_at IS NOT NULL"),
    ),
    Index(
        "invoice_void_requested",
        "void_requested_at",
        postgresql_where=text("void_requested_at IS NOT NULL"),
    ),
    Index("invoice_billing_period", "billing_period", "attribution_id"),
    Index("invoice_stripe_number", "stripe_number", postgresql_where=text("stripe_number IS NOT NULL")),
    Index(
        "invoice_replaces_stripe_invoice",
        "replaces_stripe_invoice_id",
        postgresql_where=text("replaces_stripe_invoice_id IS NOT NULL"),
    ),
)

# Anybody who has the address sees the customer's details, so few roles may read it.
HOSTED_INVOICE = Table(
    "hosted_invoice",
    METADATA,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("url", Text, nullable=False),
    CheckConstraint("url ~ '^https://[^[:space:]]+$'", name="hosted_invoice_url"),
)

INVOICE_LINE = Table(
    "invoice_line",
    METADATA,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("workspace_class", KEYED, nullable=False),
    Column("rate_from", INSTANT, nullable=False),
    Column("credits_per_minute", Numeric, nullable=False),
    Column("rated_as_default", Boolean, nullable=False),
    Column("price_per_credit", Numeric, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("carried_us", BigInteger, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, server_default="usage"),
    Column("tiers", JSONB),
    Column("quantity_us", Numeric),
    Column("step", Integer, nullable=False, server_default=text("1")),
    PrimaryKeyConstraint("invoice_id", "line_no"),
    CheckConstraint("kind IN ('usage', 'tiers')", name="invoice_line_kind"),
    CheckConstraint("(kind = 'tiers') = (tiers IS NOT NULL)", name="invoice_line_tiers"),
)

INVOICE_MONTH = Table(
    "invoice_month",
    METADATA,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("month", KEYED, nullable=False),
    Column("position", Numeric, nullable=False),
    Column("credits", Numeric, nullable=False),
    PrimaryKeyConstraint("invoice_id", "month", "position"),
)

CLAIM = Table(
    "claim",
    METADATA,
    Column("invoice_id", BigInteger, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("instance_id", KEYED, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("quantity", Numeric, nullable=False, server_default=text("1")),
    CheckConstraint("quantity > 0", name="claim_quantity"),
    CheckConstraint(
        "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during) "
        "AND lower_inc(during) AND NOT upper_inc(during)",
        name="claim_during_form",
    ),
    ExcludeConstraint(
        (text("instance_key(instance_id)"), "="), ("during", "&&"), using="gist", name="claim_never_twice"
    ),
    Index("claim_invoice_id", "invoice_id"),
)

CLAIM_HISTORY = Table(
    "claim_history",
    METADATA,
    identity(),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("instance_id", KEYED, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("released_at", INSTANT, nullable=False, server_default=NOW),
    Column("reason", Text, nullable=False),
    Column("quantity", Numeric, nullable=False, server_default=text("1")),
    Index("claim_history_invoice_id", "invoice_id"),
    Index("claim_history_instance_id", "instance_id"),
)

CREDIT_NOTE = Table(
    "credit_note",
    METADATA,
    identity(),
    Column("key", KEYED, nullable=False, unique=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("line_no", SmallInteger),
    Column("instance_id", KEYED),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("settle_to", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("blocked_reason", Text),
    Column("stripe_credit_note_id", Text, unique=True),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("requested_at", INSTANT, nullable=False, server_default=NOW),
    Column("issued_at", INSTANT),
    Column("voided_at", INSTANT),
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

DISPUTE = Table(
    "dispute",
    METADATA,
    Column("stripe_dispute_id", Text, primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", INSTANT, nullable=False),
    Column("closed_at", INSTANT),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Index("dispute_invoice_id", "invoice_id"),
)

REFUND = Table(
    "refund",
    METADATA,
    Column("stripe_refund_id", KEYED, primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("stripe_credit_note_id", Text),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    CheckConstraint("amount > 0", name="refund_amount_positive"),
    Index("refund_invoice_id", "invoice_id"),
)
