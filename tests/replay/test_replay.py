"""Recorded histories of every workflow, in every shape, replay with the current code.

A change that fails here breaks workflows that run in production: keep the old path with `workflow.patched`.
`make record-histories` records shapes that are new; see CONTRIBUTING.md.
"""

from __future__ import annotations

import base64
import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.workflow import NondeterminismError

from contracts import retries
from contracts.names import BILLING_QUEUE, Activities, Workflows
from tests.replay.replaying import KINDS, load, replayer, type_of
from tests.replay.shapes import BRANCHES, SHAPES
from workflows.registry import WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
_LARGEST = 200_000  # bytes: every run of the tests reads them all
_CHANGE = "a-change-of-the-test"


def readable(path: Path) -> str:
    """Return a history as text with decoded payloads: a local activity's name is in a marker's payload."""
    text = json.dumps(json.loads(path.read_text()))
    payloads = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', text)
    return text + "".join(base64.b64decode(payload).decode(errors="replace") for payload in payloads)


def of_shape(shape: str) -> list[Path]:
    return [path for path in HISTORIES if path.name.split(".")[0] == shape]


def test_every_recorded_shape_is_known() -> None:
    assert {path.name.split(".")[0] for path in HISTORIES} == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_holds_its_workflows_and_goes_its_way(shape: str) -> None:
    missing = f"`make record-histories` records {shape}"
    assert {type_of(path.read_text()) for path in of_shape(shape)} >= SHAPES[shape], missing
    text = "".join(readable(path) for path in of_shape(shape))
    for branch in BRANCHES.get(shape, ()):
        assert branch in text, f"{missing}: {branch}"


def test_every_workflow_type_is_in_a_shape() -> None:
    names = {value for name, value in vars(Workflows).items() if name.isupper()}
    assert {getattr(each, "__temporal_workflow_definition").name for each in WORKFLOWS} == names
    assert set().union(*SHAPES.values()) == names


def test_histories_are_small() -> None:
    assert [path.name for path in HISTORIES if path.stat().st_size > _LARGEST] == []


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    text = path.read_text()
    await replayer(KINDS[type_of(text)]).replay_workflow(load(text))


def changed(kind: type[Any], *, patched: bool) -> type:
    """Return the workflow with one more activity at its start, with or without a patch."""
    original = kind.run

    async def run(self: Any, arg: Any) -> Any:
        if not patched or workflow.patched(_CHANGE):
            await workflow.execute_activity(
                Activities.LOAD_INVOICE, arg, task_queue=BILLING_QUEUE, start_to_close_timeout=retries.LONG_STEP
            )
        return await original(self, arg)

    hints = typing.get_type_hints(original)
    argument = next(name for name in hints if name != "return")
    run.__annotations__ = {"arg": hints[argument], "return": hints["return"]}
    run.__qualname__ = f"{kind.__name__}.run"
    made = type(kind.__name__, (kind,), {"run": workflow.run(run), "__module__": __name__})
    if kind.__init__ is not object.__init__:

        def init(self: Any, arg: Any) -> None:
            kind.__init__(self, arg)

        init.__name__, init.__annotations__ = "__init__", {"arg": hints[argument]}
        init.__qualname__ = f"{kind.__name__}.__init__"
        made.__init__ = workflow.init(init)  # type: ignore[misc]
    name = getattr(kind, "__temporal_workflow_definition").name
    return workflow.defn(name=name, sandboxed=False)(made)


@pytest.mark.parametrize("kind", WORKFLOWS, ids=lambda kind: kind.__name__)
async def test_a_step_more_is_refused_without_a_patch_and_replays_with_one(kind: type) -> None:
    texts = (path.read_text() for path in HISTORIES)
    history = load(next(text for text in texts if type_of(text) == kind.__name__))
    with pytest.raises(NondeterminismError):
        await replayer(changed(kind, patched=False)).replay_workflow(history)
    await replayer(changed(kind, patched=True)).replay_workflow(history)
