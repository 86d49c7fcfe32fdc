"""The table of logged events names the events that the code logs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("info", "warning", "error", "log")
CODE = (
    "workflows/logged.py",
    "activities/sources/reading.py",
    "activities/postgres/events.py",
    "activities/postgres/audit/runs.py",
)
OF_THE_SDK = {"activity failed", "workflow task failed"}
OTHERS = {"invoice %s", "the cursor %s was moved by another run"}
DEAD = {"invoice voided", "invoice deleted"}
"""Logged as `invoice %s`, by the state."""


def logged(path: Path) -> set[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            for argument in node.args[:2]:
                found |= {
                    n.value for n in ast.walk(argument) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    return found


def test_the_table_names_each_event_that_is_logged() -> None:
    text = (ROOT / "docs/run/watching.md").read_text().partition("### Events\n")[2]
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    named = {event for row in rows for event in re.findall(r"`([^`]*)`", row)}
    found = set().union(*(logged(ROOT / path) for path in CODE))
    assert "invoice %s" in found
    assert named == found - OTHERS | DEAD | OF_THE_SDK
