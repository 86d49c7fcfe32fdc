"""Metered usage: instances as they are known, the facts about them, and their segments."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, UUID, ExcludeConstraint

from storage.schema.tables.metadata import INSTANT, KEYED, METADATA, NOW

WORKSPACE_INSTANCE = Table(
    "workspace_instance",
    METADATA,
    Column("id", KEYED, primary_key=True),
    Column("attribution_id", KEYED),
    Column("workspace_id", Text),
    Column("project_id", Text),
    Column("owner_id", Text),
    Column("workspace_class", KEYED),
    Column("workspace_type", Text),
    Column("creation_time", INSTANT),
    Column("started_time", INSTANT),
    Column("stopping_time", INSTANT),
    Column("stopped_time", INSTANT),
    Column("quantity", Numeric, nullable=False, server_default=text("1")),
    Column("last_sign", INSTANT),
    Column("last_source", KEYED),
    Column("seen_at", INSTANT),
    Column("seen_by", KEYED),
    Column("segmented", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("quantity > 0", name="workspace_instance_quantity"),
    Index(
        "workspace_instance_account",
        "attribution_id",
        text("(COALESCE(LEAST(stopping_time, stopped_time), 'infinity'::timestamptz))"),
    ),
)

USAGE_FACT = Table(
    "usage_fact",
    METADATA,
    Column("instance_id", KEYED, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("source", KEYED, nullable=False),
    Column("digest", UUID, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    Column("replaced_at", INSTANT),
    PrimaryKeyConstraint("instance_id", "at", "source", "digest"),
    CheckConstraint("kind IN ('row', 'started', 'changed', 'alive', 'stopping', 'stopped')", name="usage_fact_kind"),
)

# Stretches of runtime, and runs without a runtime: these are empty, with their times instead.
SEGMENT = Table(
    "segment",
    METADATA,
    Column("instance_id", KEYED, ForeignKey("workspace_instance.id"), nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("attribution_id", KEYED),
    Column("workspace_class", KEYED),
    Column("quantity", Numeric, nullable=False),
    Column("started_time", INSTANT),
    Column("ended_time", INSTANT),
    CheckConstraint("quantity > 0", name="segment_quantity"),
    CheckConstraint(
        "isempty(during) OR NOT lower_inf(during) AND lower_inc(during) AND NOT upper_inc(during)",
        name="segment_during_form",
    ),
    CheckConstraint(
        "isempty(during) = (ended_time IS NOT NULL) AND (ended_time < started_time) IS NOT FALSE",
        name="segment_faulty",
    ),
    ExcludeConstraint(("instance_id", "="), ("during", "&&"), using="gist", name="segment_never_two_at_once"),
    Index("segment_account", "attribution_id", text("(COALESCE(upper(during), 'infinity'::timestamptz))")),
)

# Every account that an instance has belonged to, once there is more than one.
INSTANCE_PAYER = Table(
    "instance_payer",
    METADATA,
    Column("attribution_id", KEYED, nullable=False),
    Column("instance_id", KEYED, nullable=False),
    PrimaryKeyConstraint("attribution_id", "instance_id"),
)

# Usage that may be billable again, by account, and since when: each change adds a row, the next claim takes it.
REOPENED_USAGE = Table(
    "reopened_usage",
    METADATA,
    Column("attribution_id", KEYED, nullable=False),
    Column("since", INSTANT, nullable=False),
    Index("reopened_usage_account", "attribution_id", "since"),
)
