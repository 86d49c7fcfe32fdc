"""The log lines of the stack's parts, as a person reads them: the product's own are JSON, one event a line."""

from __future__ import annotations

import json
from collections.abc import Sequence

_ERRORS = ("error", "critical")


def said(lines: Sequence[str]) -> str:
    """Return what the last lines of a log say about why a process ended, in one line.

    Events that are no errors are no reason: they are only named as what it did last.
    """
    events = [_event(line) for line in lines]
    if not lines:
        return "it logged nothing"
    if errors := [_text(event) for event in events if event and event.get("level") in _ERRORS]:
        return " | ".join(errors)
    if (last := events[-1]) is not None and None not in events:
        return f"its log has no error; its last event, at {last.get('time')}: {_text(last)}"
    return " | ".join(line if event is None else _text(event) for line, event in zip(lines, events, strict=True))


def _event(line: str) -> dict[str, object] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _text(event: dict[str, object]) -> str:
    error, kind = event.get("error"), event.get("error_kind")
    of = event.get("invoice") or event.get("source") or event.get("workflow_id")
    named = f"{event['event']} ({of})" if of else str(event["event"])
    return f"{named}: {kind}: {error}" if error else named
