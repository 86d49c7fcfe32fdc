"""Two doors to Temporal: outside of workflows, temporal/start.py starts workflows, temporal/single.py activities."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.sources import MODULES, ROOMS, ROOT, files

DOOR = ROOT / "temporal" / "start.py"
FLOOR = ROOT / "bench" / "invoicing" / "shape_run.py"
"""Starts empty workflows, which are no workflows of the product."""
STARTS = frozenset(
    {
        "start_workflow",
        "execute_workflow",
        "WithStartWorkflowOperation",
        "start_update_with_start_workflow",
        "execute_update_with_start_workflow",
        "start_workflow_execution",
        "signal_with_start_workflow_execution",
        "execute_multi_operation",
    }
)
"""The names of Temporal's client that start workflows: the SDK's, and those of the service below it."""


_SINGLE = re.compile(r"(?<!\bworkflow)\.start_activity\(")


def _starts(source: str) -> set[str]:
    """Return the names of `STARTS` that a source mentions, whether called or renamed or neither."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                found.add(name)
            case _:
                pass
    return found & STARTS


def test_only_the_door_starts_workflows() -> None:
    rooms = (*ROOMS, *MODULES, "bench", "campaigns")
    starting = {path: found for room in rooms for path in files(room) if (found := _starts(path.read_text()))}
    assert set(starting) == {DOOR, FLOOR}


def test_only_one_file_starts_activities_without_a_workflow() -> None:
    rooms = (*ROOMS, *MODULES, "bench", "campaigns")
    starting = {path for room in rooms for path in files(room) if _SINGLE.search(path.read_text())}
    assert starting == {ROOT / "temporal" / "single.py"}


@pytest.mark.parametrize(
    "source",
    [
        'await client.start_workflow("W", id="w", task_queue="q")',
        'await self._client.start_workflow("W", id="w", task_queue="q", start_signal="s")',
        'outcome = await client.execute_workflow("W", id="w", task_queue="q")',
        "begin = client.start_workflow",
        "from temporalio.client import WithStartWorkflowOperation as Start",
        'temporalio.client.WithStartWorkflowOperation("W", id="w")',
        "await client.execute_update_with_start_workflow(update, start_workflow_operation=start)",
        "await client.workflow_service.signal_with_start_workflow_execution(request)",
    ],
)
def test_a_start_elsewhere_is_found(source: str) -> None:
    assert _starts(source)


@pytest.mark.parametrize(
    "source",
    [
        'await workflow.start_child_workflow("W", id="w")',
        'ScheduleActionStartWorkflow("W", id="w", task_queue="q")',
        "await start_period(client, period)",
        "await handle.signal(Signals.RETRY)",
    ],
)
def test_children_schedules_and_signals_are_left_alone(source: str) -> None:
    assert not _starts(source)
