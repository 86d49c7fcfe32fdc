"""Rows as they come in, one by one checked for their shape; the storage checks them against what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class InstanceRow:
    """One workspace instance as an import gives it; `line` is where it stood in its source."""

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


@dataclass(frozen=True)
class AccountRow:
    """One account with at most one of its subscription windows `[started, ended)`; no `ended` is open.

    A window is known by its `started`: the same start again updates its end. No `started`: no window.
    """

    line: int
    attribution_id: str
    stripe_customer_id: str | None
    currency: str
    bill_after: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True)
class RowFault:
    """Why a row was refused: its line in the source, the column and a reason for a person."""

    line: int
    column: str
    reason: str
