"""How an audit calls activities: patiently, but not forever. A failed check is reported as "not made"."""

from __future__ import annotations

from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import retries
    from contracts.messages.base import Message
    from contracts.names import BILLING_QUEUE
    from workflows.failing import FailuresShown

R = TypeVar("R", bound=Message)


async def audit_step(name: str, arg: Message, result: type[R], summary: str, queue: str = BILLING_QUEUE) -> R:
    """Run a step over one page, with heartbeats; give up after `AUDIT_PATIENCE`."""
    with FailuresShown(name, summary):
        answer: R = await workflow.execute_activity(
            name,
            arg,
            result_type=result,
            task_queue=queue,
            start_to_close_timeout=retries.LONG_STEP,
            schedule_to_close_timeout=retries.AUDIT_PATIENCE,
            heartbeat_timeout=retries.HEARTBEAT,
            retry_policy=retries.TRANSIENT,
            summary=summary,
        )
    return answer


def reason_of(error: ActivityError) -> str:
    """Return, in one line, why a step failed permanently or was given up.

    Raises:
        ActivityError: the step was cancelled, and so was the audit.
    """
    if is_cancelled_exception(error):
        raise error
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())
