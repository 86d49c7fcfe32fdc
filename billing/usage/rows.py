"""Imported rows, each checked for its form; the storage checks them against the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.usage.details import NO_DETAILS, CustomerDetails
from billing.usage.remedies import OF_FILE, Remedies


@dataclass(frozen=True)
class InstanceRow:
    """A workspace instance from an import; `line` is its line in the source.

    `quantity`: how many units run at once; None is 1. `updated_at`: the instant of which the row is a fact; a row
    without it only says what is known now. `missing`: the columns that the row does not have. They are None here, and
    leave the known values alone.
    """

    line: int
    id: str
    attribution_id: str | None = None
    workspace_id: str | None = None
    project_id: str | None = None
    owner_id: str | None = None
    workspace_class: str | None = None
    workspace_type: str | None = None
    creation_time: datetime | None = None
    started_time: datetime | None = None
    stopping_time: datetime | None = None
    stopped_time: datetime | None = None
    quantity: Decimal | None = None
    updated_at: datetime | None = None
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AccountRow:
    """An account with at most one of its subscription windows, `[started, ended)`.

    `started` identifies a window: a row with the same start updates the end. Without `started` there is no window;
    without `ended` the window is open. `currency` and `kind` are the window's; without `kind` a known one stays, and a
    new window is paid. `missing`: the columns that the row does not have; if `ended` is one of them, a known end stays.
    `details`: those that it gives of its customer.
    """

    line: int
    attribution_id: str
    stripe_customer_id: str | None
    currency: str
    bill_after: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    missing: frozenset[str] = frozenset()
    details: CustomerDetails = NO_DETAILS
    kind: str | None = None


@dataclass(frozen=True)
class RowFault:
    """Why a row was refused: its line in the source, the column, and a reason for people.

    `other`: the line of another row that the reason names, as `in line 7`. `instance_id`: the instance, if it is known.
    """

    line: int
    column: str
    reason: str
    other: int | None = None
    instance_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Comparison:
    """A file's rows compared with each other.

    `faults`: rows that contradict another row. `repeated`: rows of an instance or window that another row has too; of
    those one counts.
    """

    faults: list[RowFault]
    repeated: int


@dataclass(frozen=True)
class ImportOptions:
    """How the rows of a file are taken.

    `reopen`: a row without a stop can remove a known one. `correct`: the rows replace all facts of their instances.
    `as_of`: rows without an update time are facts of this instant. `dry_run`: nothing stays. `source`: who says so.
    `remedies`: what can be done about refused rows.
    """

    reopen: bool = False
    correct: bool = False
    as_of: datetime | None = None
    dry_run: bool = False
    source: str = "file"
    remedies: Remedies = OF_FILE


FILE = ImportOptions()
"""The options of a plain import."""
