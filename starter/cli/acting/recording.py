"""The trail of what commands have Temporal carry out: recorded by the billing worker before it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from temporalio.client import Client

from contracts.deciding import RecordDecisions
from storage.decisions.trail import DecisionKind
from temporal import asking


async def record_decisions(client: Client, kind: DecisionKind, *subjects: str, by: str, reason: str = "") -> None:
    """Have a decision on each of these subjects added to the trail, now or as soon as a billing worker runs.

    Raises:
        RPCError: Temporal cannot be reached. Nothing was recorded.
    """
    decided = RecordDecisions(
        request=str(uuid4()), kind=str(kind), subjects=list(subjects), by=by, reason=reason, at=datetime.now(UTC)
    )
    await asking.record_decisions(client, decided)
