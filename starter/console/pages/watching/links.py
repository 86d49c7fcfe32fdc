"""Addresses of what a row is about, and of a listing's next page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from contracts import workflow_ids
from storage.decisions.trail import DecisionKind

_CREDIT = "/credit/"
_OF_SCHEDULES = frozenset((DecisionKind.PAUSE, DecisionKind.RESUME))
_OF_PERIODS = frozenset((DecisionKind.APPROVE_PERIOD, DecisionKind.WITHOUT_SOURCE, DecisionKind.RUN_PERIOD))
_OF_INVOICES = frozenset(
    (
        DecisionKind.APPROVE,
        DecisionKind.NOT_YET,
        DecisionKind.ACCEPT,
        DecisionKind.REBUILD,
        DecisionKind.RETRY,
        DecisionKind.VOID,
        DecisionKind.WRITE_OFF,
    )
)
_OF_CREDITS = frozenset((DecisionKind.CREDIT, DecisionKind.RETRY_CREDIT, DecisionKind.WITHDRAW_CREDIT))


def address(path: str, **query: str) -> str:
    """Return an address with the parts of its query that are not empty."""
    given = urlencode({name: value for name, value in query.items() if value})
    return path + (f"?{given}" if given else "")


def decision_page(kind: DecisionKind, subject: str) -> str:
    """Return the page of what was decided on; "" if it has none."""
    if kind in _OF_INVOICES:
        return _path("/invoices", subject)
    if kind in _OF_CREDITS:
        return _path("/invoices", subject.partition(_CREDIT)[0])
    if kind in _OF_SCHEDULES or subject in workflow_ids.SCHEDULES:
        return "/schedules"
    if kind in _OF_PERIODS or kind is DecisionKind.TRIGGER:
        return _path("/periods", subject.partition("/")[0])
    pages: Mapping[DecisionKind, str] = {
        DecisionKind.SYNC: "/sources",
        DecisionKind.AUDIT: "/audit",
        DecisionKind.CATCH_UP: "/webhook",
        DecisionKind.POLICY: _path("/accounts", subject),
    }
    return pages.get(kind, "")


def _path(page: str, key: str) -> str:
    return f"{page}/{quote(key, safe='/:')}"
