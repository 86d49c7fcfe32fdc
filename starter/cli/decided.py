"""A decision of a person as JSON. docs/command-line.md describes the fields."""

from __future__ import annotations

from starter.cli import output
from storage.decisions.trail import DecisionRecord


def decision_document(decision: DecisionRecord) -> dict[str, object]:
    """Return a decision as JSON."""
    return {
        "subject": decision.subject,
        "decision": str(decision.kind),
        "by": decision.decided_by,
        "reason": decision.reason,
        "at": output.json_instant(decision.decided_at),
        "origin": str(decision.origin),
        "address": decision.address,
    }
