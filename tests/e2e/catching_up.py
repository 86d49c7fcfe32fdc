"""Run the catch-up on Stripe's events."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts import workflow_ids
from contracts.messages.events import CatchUpInput, CatchUpResult
from contracts.names import BILLING_QUEUE, Workflows
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS

DROP_ALL = {"match": {"type": ""}, "action": "drop", "times": None}


async def catch_up(system: System) -> CatchUpResult:
    outcome: CatchUpResult = await asyncio.wait_for((await start_catch_up(system)).result(), GIVE_UP_SECONDS)
    return outcome


async def start_catch_up(system: System) -> Any:
    return await system.client.start_workflow(
        Workflows.EVENTS_CATCH_UP,
        CatchUpInput(),
        id=workflow_ids.EVENTS_CATCH_UP,
        task_queue=BILLING_QUEUE,
        result_type=CatchUpResult,
    )
