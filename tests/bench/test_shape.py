"""The floor that invoices are compared with has the shape of an invoice's common path."""

from __future__ import annotations

from collections import Counter

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.invoicing.floor import measure_floor


async def test_an_empty_workflow_has_the_steps_of_an_invoice(temporal_client: Client, temporal_address: str) -> None:
    floor = await measure_floor(temporal_address, 2)
    history = await temporal_client.get_workflow_handle("shape/1").fetch_history()
    counts = Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)
    assert {name: counts[name] for name in ("ACTIVITY_TASK_SCHEDULED", "WORKFLOW_EXECUTION_SIGNALED")} == {
        "ACTIVITY_TASK_SCHEDULED": 1,
        "WORKFLOW_EXECUTION_SIGNALED": 2,
    }
    assert (counts["MARKER_RECORDED"], counts["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"]) == (1, 1)
    assert set(floor.by_process) == {"server", "billing", "stripe"}
