"""The sources that a period's run waits for, as its workflow says."""

from __future__ import annotations

import asyncio

from temporalio.client import WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError

from contracts import workflow_ids
from contracts.messages.sources import FetchState
from contracts.names import Queries
from starter.console.services import ConsoleServices

_PATIENCE_SECONDS = 0.5
_AWAITED = ("failing", "behind")


async def awaited_sources(own: ConsoleServices, period: str) -> list[str]:
    """Return the sources that the run of a period waits for, by name. The page does not wait for Temporal.

    Nothing if it does not run, or if Temporal or its worker does not answer in time.
    """
    handle = own.temporal.get_workflow_handle(workflow_ids.billing_period(period))
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found: FetchState = await handle.query(
                Queries.FETCH, result_type=FetchState, reject_condition=QueryRejectCondition.NOT_OPEN
            )
    except (RPCError, TimeoutError, RuntimeError, WorkflowQueryRejectedError):
        return []
    return [each.name for each in found.sources if each.state in _AWAITED or each.name in found.held]
