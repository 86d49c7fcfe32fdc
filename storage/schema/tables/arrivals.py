"""Arrivals: sources of usage, events that wait to be folded, and the tokens of those who send them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Interval,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW

_ZERO = text("0")

SOURCE = Table(
    "source",
    METADATA,
    Column("name", KEYED, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("every", Interval, nullable=False),
    Column("lag", Interval, nullable=False),
    Column("stale_after", Interval),
    Column("snapshot_at", INSTANT),
    Column("cursor", INSTANT),
    Column("complete_up_to", INSTANT),
    Column("read_at", INSTANT),
    Column("rows_read", BigInteger, nullable=False, server_default=_ZERO),
    Column("rows_new", BigInteger, nullable=False, server_default=_ZERO),
    Column("rows_stale", BigInteger, nullable=False, server_default=_ZERO),
    Column("rows_refused", BigInteger, nullable=False, server_default=_ZERO),
    Column("error", Text),
    Column("failing_since", INSTANT),
    Column("definition", Text),
    Column("registered_at", INSTANT, nullable=False, server_default=NOW),
    Column("removed_at", INSTANT),
    CheckConstraint("kind IN ('sql', 'files')", name="source_kind"),
    CheckConstraint("(error IS NULL) = (failing_since IS NULL)", name="source_failing"),
)

# The objects of a source of files that were read; a changed object has another ETag. `definition`: of the source then.
SOURCE_OBJECT = Table(
    "source_object",
    METADATA,
    Column("source", KEYED, ForeignKey("source.name"), nullable=False),
    Column("path", KEYED, nullable=False),
    Column("etag", KEYED, nullable=False),
    Column("definition", KEYED, nullable=False),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_refused", BigInteger, nullable=False),
    Column("read_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("source", "path", "etag", "definition"),
)

# What was refused and has not arrived since in a form that is taken; `subject` is an instance, or a place in a file.
SOURCE_FAULT = Table(
    "source_fault",
    METADATA,
    Column("source", KEYED, nullable=False),
    Column("subject", KEYED, nullable=False),
    Column("field", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_seen_at", INSTANT, nullable=False, server_default=NOW),
    Column("last_seen_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("source", "subject"),
)

# What the API has accepted and nobody has folded yet.
PENDING_FACT = Table(
    "pending_fact",
    METADATA,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("instance_id", KEYED, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("source", KEYED, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("digest", UUID, nullable=False),
    Column("corrects", Boolean, nullable=False, server_default=text("false")),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    CheckConstraint("kind IN ('row', 'started', 'changed', 'alive', 'stopping', 'stopped')", name="pending_fact_kind"),
)

# Details of customers that the API has accepted and that their accounts do not have yet. `waits`: there was no account.
PENDING_DETAILS = Table(
    "pending_details",
    METADATA,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("attribution_id", KEYED, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("source", KEYED, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("waits", Boolean, nullable=False, server_default=text("false")),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    Index("pending_details_to_store", "position", postgresql_where=text("NOT waits")),
)

# Accounts whose details the API has changed, until Stripe has them. `refused`: Stripe does not take them.
DETAILS_TO_SEND = Table(
    "details_to_send",
    METADATA,
    Column("attribution_id", KEYED, ForeignKey("account.attribution_id"), primary_key=True),
    Column("source", KEYED, nullable=False),
    Column("since", INSTANT, nullable=False, server_default=NOW),
    Column("refused", Boolean, nullable=False, server_default=text("false")),
    Column("tried_at", INSTANT, nullable=False, server_default=NOW),
)

# Ids of events of the last 90 days, by which a repetition is known and another event under a known id is refused.
RECEIVED_EVENT = Table(
    "received_event",
    METADATA,
    Column("source", KEYED, nullable=False),
    Column("id", KEYED, nullable=False),
    Column("digest", UUID, nullable=False),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("source", "id"),
    Index("received_event_received_at", "received_at"),
)

API_TOKEN = Table(
    "api_token",
    METADATA,
    Column("name", KEYED, primary_key=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False, server_default=NOW),
    Column("expires_at", INSTANT),
    Column("revoked_at", INSTANT),
    CheckConstraint("scope IN ('ingest', 'operate', 'accounts', 'view', 'act')", name="api_token_scope"),
)
