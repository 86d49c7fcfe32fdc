"""What Temporal adds to a log line: which workflow, run, activity and attempt wrote it, and how it failed."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCError

from settings import Settings
from starter.logs import setup
from starter.logs.failures import Failures, expected_of_ours

_EVENTS = {
    "ActivityFailure": "activity failed",
    "WorkflowTaskFailure": "workflow task failed",
}
"""Our words for what the SDK marks as a failure."""
_FIELDS = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",  # of an activity
    "run_id": "run_id",
    "workflow_type": "workflow",
    "activity_type": "activity",
    "activity_id": "activity_id",
    "attempt": "attempt",
}
"""Our names for what the SDK says of a workflow or an activity."""


def log_to_stderr(settings: Settings) -> None:
    """Write the log of a process that speaks to Temporal to stderr: see `starter.logs.setup`."""
    # They would repeat the fields in the text.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    failures = Failures(_expected, tracebacks=settings.log_level == "DEBUG")
    setup.log_to_stderr(settings, [_of_temporal], failures)


def _of_temporal(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make fields of what the SDK attaches to a record, or knows of the activity that writes it."""
    details = event.pop("temporal_activity", None) or event.pop("temporal_workflow", None) or _activity()
    event.pop("temporal_update", None)
    failure = event.pop("__temporal_error_identifier", None)
    core = event.pop("temporal_log", None)
    if core is not None:
        event["core"] = dict(core.fields)
    if failure is not None:
        event["event"] = _EVENTS.get(failure, event["event"])
    event.update({name: details[key] for key, name in _FIELDS.items() if details.get(key) is not None})
    error = event["exc_info"][1] if isinstance(event.get("exc_info"), tuple) else None
    if failure == "ActivityFailure" and error is not None:
        event["retried"] = not (isinstance(error, ApplicationError) and error.non_retryable)
    return event


def _activity() -> dict[str, Any]:
    if not activity.in_activity():
        return {}
    info = activity.info()
    return {
        "workflow_id": info.workflow_id,
        "workflow_run_id": info.workflow_run_id,
        "workflow_type": info.workflow_type,
        "activity_type": info.activity_type,
        "activity_id": info.activity_id,
        "attempt": info.attempt,
    }


def _expected(error: BaseException) -> tuple[str, str] | None:
    """Tell failures that activities raise on purpose, and a server that is away."""
    while isinstance(error, FailureError) and not isinstance(error, ApplicationError) and error.cause is not None:
        error = error.cause
    if isinstance(error, ApplicationError):
        return error.type or type(error).__name__, error.message
    if isinstance(error, RPCError):
        return f"Temporal:{error.status.name}", error.message
    return expected_of_ours(error)
