"""Replays find what ran before: ruff refuses clocks, randomness, threads and I/O in workflows and what they import.

Temporal's sandbox refuses them too, when they run. Production has no sandbox, so the lint must refuse what it refuses.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxMatcher, SandboxRestrictions

from tests.architecture.sources import ROOT, files, imported

RUFF = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
BANNED: dict[str, dict[str, str]] = RUFF["flake8-tidy-imports"]["banned-api"]
REPLAYED = ("workflows", "reconciliation", "contracts", "billing")
BUILTINS = {"open", "input", "breakpoint", "hash"}
"""Ruff bans no builtins. A string's hash differs in each process."""


def _refused(matcher: SandboxMatcher, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield what the sandbox refuses, as paths of names."""
    for name in matcher.access | matcher.use:
        yield (*path, name)
    if matcher.match_self:
        yield path
    for name, child in matcher.children.items():
        yield from _refused(child, (*path, name))


def _lint(folder: str, lines: list[str]) -> set[int]:
    """Return the numbers of the lines that ruff refuses as banned in a file of this folder."""
    ruff = Path(sys.executable).with_name("ruff")
    ran = subprocess.run(
        [ruff, "check", "--no-cache", "--output-format", "json", "--stdin-filename", f"{folder}/wrong.py", "-"],
        cwd=ROOT, input="\n".join(lines), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {each["location"]["row"] for each in json.loads(ran.stdout) if each["code"] == "TID251"}


def _builtins(source: str) -> set[str]:
    """Return the builtins of `BUILTINS` that a source calls."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {called.id for called in calls if isinstance(called, ast.Name)} & BUILTINS


def test_the_lint_refuses_what_the_sandbox_refuses() -> None:
    refused = list(_refused(SandboxRestrictions.invalid_module_members_default))
    builtin = {path[1] for path in refused if path[0] == "__builtins__"}
    missed = [
        path
        for path in refused
        if path[0] != "__builtins__" and not any(".".join(path[:size]) in BANNED for size in range(1, len(path) + 1))
    ]
    assert len(refused) > 100
    assert (builtin - BUILTINS, missed) == (set(), [])


@pytest.mark.parametrize("room", REPLAYED)
def test_ruff_refuses_each_banned_name_in_a_room_that_is_replayed(room: str) -> None:
    lines = []
    for name in BANNED:
        parents, _, last = name.rpartition(".")
        module, _, kind = parents.partition(".")
        if not parents:
            lines.append(f"import {name}")
        elif kind:  # a method: of a class that is imported, as everybody does
            lines.append(f"from {module} import {kind}; {kind}.{last}()")
        else:
            lines.append(f"from {module} import {last}")
    allowed = ["from uuid import UUID", "from datetime import datetime; datetime.fromisoformat('')", "import asyncio"]
    assert _lint(room, [*lines, *allowed]) == set(range(1, len(lines) + 1))


def test_other_rooms_may() -> None:
    assert not _lint("activities", ["import time", "import os"])


@pytest.mark.parametrize("room", REPLAYED)
def test_rooms_that_are_replayed_need_pydantic_and_temporal_at_most(room: str) -> None:
    for path in files(room):
        third_party = imported(path) - sys.stdlib_module_names - set(REPLAYED)
        assert third_party <= {"pydantic", "temporalio"}, path
        assert not _builtins(path.read_text()), path


def test_production_has_no_sandbox() -> None:
    spec = importlib.util.spec_from_file_location("worker_of_production", ROOT / "worker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert type(module.RUNNER) is UnsandboxedWorkflowRunner


@pytest.mark.parametrize("line", ["with open('x'): ...", "bucket = hash(key) % 8", "breakpoint()"])
def test_a_builtin_is_found(line: str) -> None:
    assert _builtins(line)
