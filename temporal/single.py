"""The one door to activities without a workflow: how each is started, and how its failure is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.common import ActivityIDConflictPolicy, Priority
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import PerdureError
from contracts import retries
from contracts.messages.base import Message

_FIRST = Priority(priority_key=1)
R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class SingleRun:
    """Who runs an activity, and within what times.

    `step`: an attempt. `answered_within`: until a worker takes it; None: as long as it takes. `done_within`: all of it.
    `joins`: whether the same request, while it runs, is one. `fails_as`: the error if the server runs no such activity.
    `first`: whether somebody waits for it, so that it comes before what a run has queued.
    """

    queue: str
    step: timedelta
    answered_within: timedelta | None
    done_within: timedelta
    fails_as: type[PerdureError]
    joins: bool = False
    first: bool = True


async def start_single(
    client: Client, name: str, arg: Message, result: type[R], activity_id: str, summary: str, run: SingleRun
) -> ActivityHandle[R]:
    """Start an activity without a workflow.

    Raises:
        PerdureError: `fails_as`: the server runs no activity without a workflow.
        ActivityAlreadyStartedError: one with this id runs, and this one does not join it.
        RPCError: Temporal does not accept it.
    """
    try:
        return await client.start_activity(
            name,
            arg,
            id=activity_id,
            task_queue=run.queue,
            result_type=result,
            schedule_to_close_timeout=run.done_within,
            schedule_to_start_timeout=run.answered_within,
            start_to_close_timeout=run.step,
            heartbeat_timeout=retries.HEARTBEAT,
            id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING if run.joins else ActivityIDConflictPolicy.FAIL,
            retry_policy=retries.TRANSIENT,
            summary=summary,
            priority=_FIRST if run.first else Priority.default,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            raise run.fails_as(
                "this Temporal server runs no activity without a workflow: use Temporal Server 1.31 or newer"
            ) from error
        raise


def refusal_of(error: ActivityFailureError) -> ApplicationError | None:
    """Return why the worker refused it. None if it was not refused."""
    cause = error.cause
    return cause if isinstance(cause, ApplicationError) and cause.non_retryable else None


def is_unanswered(error: ActivityFailureError) -> bool:
    """Return whether no worker took it."""
    cause = error.cause
    return isinstance(cause, ActivityTimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START


def last_reason(error: ActivityFailureError) -> str:
    """Return the reason of the last attempt, where a timeout has one."""
    reason = error.cause.__cause__ or error.cause
    return getattr(reason, "message", None) or str(reason)
