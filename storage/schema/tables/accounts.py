"""Accounts, their subscriptions and policies."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE, TSTZRANGE, ExcludeConstraint

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW, identity

ACCOUNT = Table(
    "account",
    METADATA,
    Column("attribution_id", KEYED, primary_key=True),
    Column("stripe_customer_id", Text, unique=True),
    Column("currency", Text, nullable=False),
    Column("bill_after", INSTANT),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("name", Text),
    Column("email", Text),
    Column("address", JSONB),
    Column("tax_id", Text),
    Column("unsent", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("email_in_stripe", Boolean),
    Column("address_in_stripe", Boolean),
    Column("stripe_seen_at", INSTANT),
    Column("customer_of_another", Text),
    # By field, the instant as of which the API or an import gave its value.
    Column("details_at", JSONB, nullable=False, server_default=text("'{}'")),
    # All usage that had ended by then is on invoices, as far as it was within these windows, which were charged.
    Column("claimed_until", INSTANT),
    Column("claimed_windows", TSTZMULTIRANGE),
    CheckConstraint("(claimed_until IS NULL) = (claimed_windows IS NULL)", name="account_claimed"),
    CheckConstraint("unsent <@ ARRAY['name', 'email', 'address', 'tax_id']", name="account_unsent"),
    CheckConstraint(
        text(r"attribution_id ~ '^[A-Za-z0-9][A-Za-z0-9._\:@+=~-]{0,132}$'"),
        name="account_attribution_id_form",
    ),
    CheckConstraint("currency ~ '^[a-z]{3}$'", name="account_currency_form"),
)

SUBSCRIPTION = Table(
    "subscription",
    METADATA,
    identity(),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("stripe_subscription_id", Text),
    Column("part", SmallInteger, nullable=False, server_default=text("1")),
    Column("during", TSTZRANGE, nullable=False),
    Column("kind", Text, nullable=False, server_default="paid"),
    Column("currency", Text, nullable=False),
    CheckConstraint("kind IN ('paid', 'trial', 'collection_paused')", name="subscription_kind"),
    CheckConstraint("currency ~ '^[a-z]{3}$'", name="subscription_currency_form"),
    UniqueConstraint("stripe_subscription_id", "part", name="subscription_parts"),
    CheckConstraint(
        "NOT isempty(during) AND NOT lower_inf(during) AND lower_inc(during) AND NOT upper_inc(during)",
        name="subscription_during_form",
    ),
    ExcludeConstraint(("attribution_id", "="), ("during", "&&"), using="gist", name="subscription_never_two_at_once"),
    Index("subscription_attribution_id", "attribution_id"),
)

ACCOUNT_POLICY = Table(
    "account_policy",
    METADATA,
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), primary_key=True),
    Column("charge_on", Text),
    Column("finalization", Text),
    Column("limit_amount", BigInteger),
    Column("limit_multiple", Numeric),
    Column("limit_carried_share", Numeric),
    Column("included_credits", Numeric),
    Column("limits_off", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Column("trial_usage", Text),
    Column("paused_usage", Text),
    CheckConstraint(
        "trial_usage IN ('exclude', 'charge') AND paused_usage IN ('exclude', 'charge')", name="account_policy_usage"
    ),
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
    Column("attribution_id", KEYED),
    Column("reason", Text, nullable=False),
    Column("since", INSTANT, nullable=False, server_default=NOW),
)

SUBSCRIPTION_CYCLE = Table(
    "subscription_cycle",
    METADATA,
    Column("stripe_subscription_id", KEYED, nullable=False),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("seen_at", INSTANT, nullable=False, server_default=NOW),
    CheckConstraint(
        "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during) "
        "AND lower_inc(during) AND NOT upper_inc(during)",
        name="subscription_cycle_during_form",
    ),
    ExcludeConstraint(
        ("stripe_subscription_id", "="), ("during", "&&"), using="gist", name="subscription_cycle_never_two_at_once"
    ),
    Index("subscription_cycle_attribution_id", "attribution_id"),
)

COLLECTION_PAUSE = Table(
    "collection_pause",
    METADATA,
    Column("stripe_subscription_id", KEYED, primary_key=True),
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), nullable=False),
    Column("behavior", Text),
    Column("since", INSTANT, primary_key=True),
    Column("resumes_at", INSTANT),
    Column("ended", INSTANT),
    CheckConstraint(
        "behavior IN ('keep_as_draft', 'mark_uncollectible', 'void')",
        name="collection_pause_behavior",
    ),
    Index("collection_pause_attribution_id", "attribution_id"),
)
