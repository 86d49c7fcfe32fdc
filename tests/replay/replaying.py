"""Replaying a recorded history with the current code."""

from __future__ import annotations

import json
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from worker import SANDBOX
from workflows.registry import WORKFLOWS

KINDS: dict[str, type[Any]] = {getattr(each, "__temporal_workflow_definition").name: each for each in WORKFLOWS}
"""The workflow types by name."""


def replayer(kind: type) -> Replayer:
    """Return a replayer of one workflow: the sandbox is prepared for every workflow that a replayer gets."""
    return Replayer(workflows=[kind], data_converter=pydantic_data_converter, workflow_runner=SANDBOX)


def load(text: str) -> WorkflowHistory:
    """Return a recorded history."""
    history = WorkflowHistory.from_json("", text)
    started = history.events[0].workflow_execution_started_event_attributes
    return WorkflowHistory(started.workflow_id, history.events)


def type_of(text: str) -> str:
    """Return the name of the workflow type of a recorded history."""
    first = json.loads(text)["events"][0]
    return str(first["workflowExecutionStartedEventAttributes"]["workflowType"]["name"])
