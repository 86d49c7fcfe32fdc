"""Registered names, which histories hold, depend on no class or function; each class name is used once."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

from contracts.names import Activities, Queries, Signals, Workflows
from tests.architecture.sources import MODULES, ROOMS, ROOT, files


def _constants(holder: type) -> dict[str, str]:
    return {name: value for name, value in vars(holder).items() if name.isupper()}


def _definitions(room: str, attribute: str) -> list[tuple[Path, str | None]]:
    """Return for each `@<room's decorator>.<attribute>` the file and the name's expression, if it has one."""
    found: list[tuple[Path, str | None]] = []
    for path in files(room):
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, "decorator_list", []):
                call = decorator if isinstance(decorator, ast.Call) else None
                if ast.unparse(call.func if call else decorator) == attribute:
                    names = [ast.unparse(word.value) for word in (call.keywords if call else []) if word.arg == "name"]
                    found.append((path.relative_to(ROOT), names[0] if names else None))
    return found


def _named_by(found: list[tuple[Path, str | None]], holder: type) -> None:
    expressions = Counter(expression for _, expression in found)
    assert expressions == Counter(f"{holder.__name__}.{name}" for name in _constants(holder))


def test_every_activity_is_registered_once_under_its_name() -> None:
    _named_by(_definitions("activities", "activity.defn"), Activities)


def test_every_workflow_is_registered_once_under_its_name() -> None:
    _named_by(_definitions("workflows", "workflow.defn"), Workflows)


def test_every_signal_and_query_has_a_name() -> None:
    for kind, holder in (("signal", Signals), ("query", Queries)):
        found = {expression for _, expression in _definitions("workflows", f"workflow.{kind}")}
        found |= _set_while_running(f"workflow.set_{kind}_handler")
        assert found == {f"{holder.__name__}.{name}" for name in _constants(holder)}


def _set_while_running(setter: str) -> set[str]:
    """Return the names' expressions of the handlers that every workflow gets by this call."""
    return {
        ast.unparse(node.args[0])
        for path in files("workflows")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == setter
    }


def test_names_are_unique() -> None:
    for holder in (Activities, Workflows, Signals, Queries):
        assert all(count == 1 for count in Counter(_constants(holder).values()).values())


def test_no_two_classes_share_a_name() -> None:
    defined: dict[str, list[Path]] = defaultdict(list)
    for room in (*ROOMS, *MODULES, "campaigns", "bench", "tests"):
        for path in files(room):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    defined[node.name].append(path.relative_to(ROOT))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}
