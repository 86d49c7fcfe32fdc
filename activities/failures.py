"""Reports to a workflow that a step of its keeps failing, so that its details in the Temporal UI say why.

Temporal shows an attempt's failure only among the workflow's pending activities, and that of a local activity nowhere.
The attempts that are reported are those whose number is a power of two: ten of a step that fails for a day. A step that
succeeds reports nothing.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from billing.text import one_line
from contracts.messages.holds import StepFailed
from contracts.names import Signals

logger = logging.getLogger("perdure.steps")

_FIRST_REPORTED = 2
_FIRST_REPORTED_OF_LOCAL = 4
"""A local activity repeats its first attempts within seconds."""
_RATE_LIMIT = "StripeRateLimit"
_FIRST_REPORTED_OF_RATE_LIMIT = 16
"""Many callers at once are slowed down for a while, which is no failure; a signal of each would add to the load."""
_PATIENCE = timedelta(seconds=5)


class FailureReporting(Interceptor):
    """A worker's interceptor: signals `Signals.STEP_FAILED` to the workflow of a step that fails again and again."""

    def intercept_activity(self, inner: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap each activity of the worker."""
        return _Reporter(inner)


class _Reporter(ActivityInboundInterceptor):
    async def execute_activity(self, call: ExecuteActivityInput) -> Any:
        async with _Reported():
            return await self.next.execute_activity(call)


class _Reported:
    """Reports the error that ends the block, and lets it pass."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and _is_reported(activity.info(), error):
            await _report(activity.info(), error)


def _is_reported(info: activity.Info, error: Exception) -> bool:
    """Return whether the workflow is to know of this failure: the step is repeated, and it is an attempt to report."""
    if info.workflow_id is None or is_cancelled_exception(error):
        return False
    if isinstance(error, ApplicationError) and error.non_retryable:
        return False
    most = info.retry_policy.maximum_attempts if info.retry_policy else 0
    if most and info.attempt >= most:
        return False
    first = _FIRST_REPORTED_OF_LOCAL if info.is_local else _FIRST_REPORTED
    if isinstance(error, ApplicationError) and error.type == _RATE_LIMIT:
        first = _FIRST_REPORTED_OF_RATE_LIMIT
    return info.attempt >= first and info.attempt & (info.attempt - 1) == 0


async def _report(info: activity.Info, error: Exception) -> None:
    assert info.workflow_id is not None
    now = datetime.now(UTC)
    delay = _delay(info, error)
    failed = StepFailed(
        step=info.activity_type,
        attempt=info.attempt,
        reason=one_line(getattr(error, "message", None) or str(error) or type(error).__name__),
        since=info.scheduled_time,
        failed_at=now,
        next_attempt_at=None if delay is None else now + delay,
    )
    handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    try:
        await handle.signal(Signals.STEP_FAILED, failed, rpc_timeout=_PATIENCE)
    except RPCError as refused:
        # The workflow has ended, or Temporal does not answer: the failure itself is what counts.
        logger.debug("%s did not learn that %s fails: %s", info.workflow_id, info.activity_type, refused.message)
    except Exception:  # a codec's, say: it must not replace the step's own error, which can say when to try again
        logger.exception("%s cannot learn that %s fails", info.workflow_id, info.activity_type)


def _delay(info: activity.Info, error: Exception) -> timedelta | None:
    """Return after what time the step is repeated, as the server computes it; None if the policy is unknown."""
    if isinstance(error, ApplicationError) and error.next_retry_delay is not None:
        return error.next_retry_delay
    policy = info.retry_policy
    if policy is None:
        return None
    longest = policy.maximum_interval or policy.initial_interval * 100
    # Beyond this power any interval has reached the longest one.
    return min(policy.initial_interval * policy.backoff_coefficient ** min(info.attempt - 1, 30), longest)
