"""Usage of settled invoices by day: of each invoice's lines, and summed up by period."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Numeric, PrimaryKeyConstraint, SmallInteger, Table, Text

from storage.schema.tables.metadata import KEYED, METADATA

# Without foreign keys, as claims: checking them for each row would cost more than writing it. The audit finds days
# whose invoice is not settled.
INVOICE_DAY = Table(
    "invoice_day",
    METADATA,
    Column("invoice_id", BigInteger, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("quantity_us", Numeric, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("invoice_id", "line_no", "day"),
)

PERIOD_DAY = Table(
    "period_day",
    METADATA,
    Column("billing_period", KEYED, nullable=False),
    Column("currency", Text, nullable=False),
    Column("workspace_class", KEYED, nullable=False),
    Column("day", Date, nullable=False),
    Column("invoice_days", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("quantity_us", Numeric, nullable=False),
    Column("credits", Numeric, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("billing_period", "currency", "workspace_class", "day"),
)

# Settled invoices whose days are not in `period_day` yet: one row is cheap where many invoices settle at once.
PERIOD_DAY_PENDING = Table(
    "period_day_pending",
    METADATA,
    Column("invoice_id", BigInteger, primary_key=True, autoincrement=False),
)
