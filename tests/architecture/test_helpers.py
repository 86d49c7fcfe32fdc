"""Code shared by test modules lies outside of them: in tests/support, a helper module or a conftest.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT

ROOMS = ("tests", "campaigns", "bench")


def imported(text: str) -> Iterator[str]:
    """Yield the full name of each module that a text imports, and of each name that it imports from a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def from_test_modules(text: str) -> list[str]:
    return [
        name
        for name in imported(text)
        if name.split(".")[0] == "tests" and any(part.startswith("test_") for part in name.split("."))
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_imported_from_a_test_module(room: str) -> None:
    paths = sorted((ROOT / room).rglob("*.py"))
    assert paths
    found = {str(path.relative_to(ROOT)): from_test_modules(path.read_text()) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        "from tests.e2e.faults.test_faults import usage",
        "from tests.e2e import test_faults as faults",
        "import tests.cli.test_invoices",
        "def later():\n    from tests.cli.test_invoices import system",
    ],
)
def test_an_import_from_a_test_module_is_seen(text: str) -> None:
    assert from_test_modules(text)


def test_helpers_may_be_imported() -> None:
    assert from_test_modules("from tests.support import usage\nfrom tests.e2e.conftest import requests") == []
