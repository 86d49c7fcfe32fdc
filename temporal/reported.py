"""The failures that workflows learned of from their workers, as `activities/failures.py` reports them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from contracts.messages.holds import StepFailed, StepFailures
from contracts.names import Queries

ANSWERED_WITHIN = timedelta(seconds=3)
_UNANSWERED = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.FAILED_PRECONDITION,
)


async def reported_failures(
    client: Client, workflow_ids: Iterable[str], within: timedelta = ANSWERED_WITHIN
) -> list[tuple[str, StepFailed]]:
    """Return the failures that these workflows learned of, each with its workflow's id, oldest first.

    Those of local activities are among them. It asks the worker of the workflows: a workflow that has ended, or whose
    worker does not answer `within` this time, has none.

    Raises:
        RPCError: Temporal cannot be reached.
    """
    found = await asyncio.gather(*(_reported(client, workflow_id, within) for workflow_id in workflow_ids))
    return sorted((failed for each in found for failed in each), key=lambda failed: failed[1].since)


async def _reported(client: Client, workflow_id: str, within: timedelta) -> list[tuple[str, StepFailed]]:
    handle = client.get_workflow_handle(workflow_id)
    try:
        answer: StepFailures = await handle.query(
            Queries.FAILURES,
            result_type=StepFailures,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=within,
        )
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return []
    except RPCError as error:
        if error.status in _UNANSWERED:
            return []
        raise
    return [(workflow_id, failed) for failed in answer.failing]
