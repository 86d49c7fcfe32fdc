"""A discrepancy that an audit finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A discrepancy. `kind` names what differs; `detail` gives the figures."""

    kind: str
    detail: str
    attribution_id: str | None = None
    instance_id: str | None = None
    invoice_key: str | None = None
    stripe_id: str | None = None
    report_id: str | None = None
