"""Rest: nothing is in progress and no workflow has work to do, so a test's next step happens alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts import workflow_ids
from contracts.messages.events import WakeUp
from reconciliation.event_routing import wake_up
from storage.invoices import credit_notes
from tests.support.system import System
from tests.support.until import until

_ANSWERED = {
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
}


async def until_rested(system: System) -> None:
    """Wait until every webhook is delivered, and every workflow has ended or waits for a person, Stripe or a time.

    A state in Postgres proves less: the workflow that wrote it can still fetch from Stripe once more.
    """
    before: dict[str, Position] | None = None

    async def rested() -> bool:
        nonlocal before
        pending = (await system.admin("flush_webhooks", {}))["pending"]
        earlier, before = before, await _positions(system)
        # If all are at rest twice with the same histories, they were all at rest in between.
        return not pending and before == earlier and not any(each.works for each in before.values())

    await until(rested)


async def unheard(system: System, types: str = "") -> None:
    """Wait for rest, then drop every webhook whose type matches the regular expression `types`."""
    await until_rested(system)
    await system.admin("webhook_faults", {"match": {"type": types}, "action": "drop", "times": None})


@dataclass(frozen=True)
class Position:
    """The progress of a workflow's latest run."""

    run_id: str
    history_length: int
    works: bool
    """Whether a task, an activity or a signal that it sent is in progress; if not, it has ended or waits."""
    children: frozenset[str]


async def position(handle: Any) -> Position | None:
    """Return the workflow's position, or None if it does not exist."""
    try:
        described = await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    raw = described.raw_description
    works = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    if described.status is WorkflowExecutionStatus.RUNNING and not works:
        kinds = [event.event_type async for event in handle.fetch_history_events()]
        sent = kinds.count(EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED)
        works = sent != sum(kind in _ANSWERED for kind in kinds)
    children = frozenset(child.workflow_id for child in raw.pending_children)
    return Position(described.run_id, described.history_length, works, children)


async def _positions(system: System) -> dict[str, Position]:
    """Return every workflow's position by its id."""
    found: dict[str, Position | None] = {}
    ids = await _ids(system)
    while ids:
        handles = [system.client.get_workflow_handle(each) for each in ids]
        known = await asyncio.gather(*(position(handle) for handle in handles))
        found |= zip(ids, known, strict=True)
        ids = {child for each in known if each for child in each.children} - found.keys()
    return {workflow_id: each for workflow_id, each in found.items() if each}


async def _ids(system: System) -> set[str]:
    """Return the ids that Temporal lists as running and, since its list lags, all that could have started since."""
    listed = system.client.list_workflows("ExecutionStatus = 'Running'")
    made = await system.invoices()
    notes = await credit_notes.credit_notes_of(system.db, [invoice.id for invoice in made])
    own = {"ending_before": system.before} if system.before else {}
    events = await system.stripe.v1.events.list_async({"limit": 100, **own})
    targets = [wake_up(event.to_dict()) async for event in events.auto_paging_iter()]
    return {
        *[run.id async for run in listed],
        *(target.workflow_id for target in targets if isinstance(target, WakeUp)),
        *(workflow_ids.invoice(invoice.key) for invoice in made),
        *(workflow_ids.credit_note(note.key) for of_one in notes.values() for note in of_one),
        *(workflow_ids.billing_period(invoice.billing_period) for invoice in made),
    }
