"""How workflows call activities: by registered name, typed, one retry policy, a summary for the UI."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import retries, search_attributes
    from contracts.messages.base import Message
    from contracts.names import BILLING_QUEUE, STRIPE_QUEUE
    from workflows.failing import FailuresShown, show

__all__ = ["show"]

R = TypeVar("R", bound=Message)
_LONGEST = {BILLING_QUEUE: retries.LONG_STEP, STRIPE_QUEUE: retries.STRIPE_STEP}


async def local_step(name: str, arg: Message, result: type[R], summary: str | None = None) -> R:
    """Run a step on Postgres and the report store for one invoice, as a local activity.

    It saves a round trip through the server, and each invoice has several such steps. A report of millions of claims
    takes minutes, during which the SDK keeps the workflow task alive.
    """
    with FailuresShown(name, summary or name):
        answer: R = await workflow.execute_local_activity(
            name,
            arg,
            result_type=result,
            start_to_close_timeout=retries.LONG_STEP,
            retry_policy=retries.TRANSIENT,
            local_retry_threshold=timedelta(seconds=5),
            summary=summary,
        )
    return answer


async def billing_step(name: str, arg: Message, result: type[R], summary: str) -> R:
    """Run a step on Postgres over a whole page or account, with heartbeats."""
    with FailuresShown(name, summary):
        return await _started(BILLING_QUEUE, name, arg, result, summary)


async def stripe_step(name: str, arg: Message, result: type[R], summary: str) -> R:
    """Run a few Stripe calls, with heartbeats, on the queue whose rate the server limits."""
    with FailuresShown(name, summary):
        return await _started(STRIPE_QUEUE, name, arg, result, summary)


async def stripe_step_until(
    stopped: Callable[[], bool], name: str, arg: Message, result: type[R], summary: str
) -> R | None:
    """Run a step as `stripe_step`, but cancel it as soon as `stopped` is true, however long it waits or is retried.

    A step that runs learns of it by a heartbeat, and ends itself: its result counts. Returns None if it did not run.
    """
    with FailuresShown(name, summary):
        wait_for_its_end = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        step = _started(STRIPE_QUEUE, name, arg, result, summary, wait_for_its_end)
        await workflow.wait_condition(lambda: step.done() or stopped())
        step.cancel()  # which does nothing to a step that has ended
        try:
            return await step
        except ActivityError as error:
            if not is_cancelled_exception(error):
                raise
            return None


def _started(
    queue: str,
    name: str,
    arg: Message,
    result: type[R],
    summary: str,
    cancellation: workflow.ActivityCancellationType = workflow.ActivityCancellationType.TRY_CANCEL,
) -> workflow.ActivityHandle[R]:
    return workflow.start_activity(
        name,
        arg,
        result_type=result,
        task_queue=queue,
        start_to_close_timeout=_LONGEST[queue],
        heartbeat_timeout=retries.HEARTBEAT,
        retry_policy=retries.TRANSIENT,
        cancellation_type=cancellation,
        summary=summary,
    )


STEP_FAILED = (ActivityError, ApplicationError)
"""What a permanently failed step raises: `ActivityError` for an activity, `ApplicationError` for a local activity."""


def failure_of(error: ActivityError | ApplicationError) -> ApplicationError:
    """Return why a step failed permanently.

    Raises:
        ActivityError, ApplicationError: the failure is not permanent; the step was cancelled, for example.
    """
    cause = error if isinstance(error, ApplicationError) else error.cause
    if not isinstance(cause, ApplicationError) or not cause.non_retryable:
        raise error
    return cause


def permanent_reason(error: ActivityError | ApplicationError) -> str:
    """Return, in one line, why a step failed permanently.

    Raises:
        ActivityError, ApplicationError: the failure is not permanent.
    """
    cause = failure_of(error)
    return f"{cause.type}: {cause.message}" if cause.type else cause.message


async def nothing_was_heard(woken: Callable[[], bool]) -> bool:
    """Wait until all handlers have finished; return whether the workflow can end because nothing woke it meanwhile.

    Await nothing between this call and the end of the run: a signal in between would be lost.
    """
    await workflow.wait_condition(workflow.all_handlers_finished)
    return not woken()


async def continue_as_new_if_suggested(arg: Message, woken: Callable[[], bool] = lambda: False) -> None:
    """Continue as new once the history is long, unless the workflow was woken: the wake-up would be lost."""
    if workflow.info().is_continue_as_new_suggested() and await nothing_was_heard(woken):
        workflow.continue_as_new(arg)


def in_utc(at: datetime) -> str:
    """Format an instant for people, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def clock() -> str:
    """Format the workflow's current time for people."""
    return in_utc(workflow.now())


def period_search_attributes(period: str) -> TypedSearchAttributes:
    """Return the search attributes by which a period's workflows are found."""
    return TypedSearchAttributes([SearchAttributePair(search_attributes.BILLING_PERIOD, period)])
