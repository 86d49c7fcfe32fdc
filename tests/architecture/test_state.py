"""The state of an invoice's workflows: handlers write one value, so that the state machine stays one function."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

FOLDER = ROOT / "workflows" / "invoices"
# Every assignment to an attribute of `self` outside of `__init__`, by class.
ASSIGNED = {
    "InvoiceWorkflow": {"_inbox"},
    "CreditNoteWorkflow": {"_inbox"},
    "CreditNotesSyncWorkflow": {"_stripe_changed"},
}


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def assigned(path: Path) -> dict[str, Counter[str]]:
    """Return by class how often each attribute of `self` is assigned outside of `__init__`."""
    found: dict[str, Counter[str]] = {}
    for kind in ast.walk(ast.parse(path.read_text())):
        if not isinstance(kind, ast.ClassDef):
            continue
        methods = [each for each in kind.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        names = [
            element.attr
            for method in methods
            if method.name != "__init__"
            for node in ast.walk(method)
            for target in _targets(node)
            for element in ast.walk(target)
            if isinstance(element, ast.Attribute) and ast.unparse(element.value) == "self"
        ]
        if names:
            found[kind.name] = Counter(names)
    return found


def test_handlers_and_steps_write_the_inbox_alone() -> None:
    found: dict[str, Counter[str]] = {}
    for path in sorted(FOLDER.glob("*.py")):
        found |= assigned(path)
    assert {name: set(attributes) for name, attributes in found.items()} == ASSIGNED
    assert sum(attributes.total() for attributes in found.values()) <= 24


def test_an_invoice_keeps_its_reference_and_its_inbox() -> None:
    tree = ast.parse((FOLDER / "invoice.py").read_text())
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    assert attributes == {"_ref", "_inbox"}


@pytest.mark.parametrize("line", ["self._parked = True", "self._inbox, self._x = 1, 2", "self._polls += 1"])
def test_another_attribute_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "invoice.py"
    path.write_text(f"class InvoiceWorkflow:\n    def go(self):\n        {line}\n")
    assert not set(assigned(path)["InvoiceWorkflow"]) <= ASSIGNED["InvoiceWorkflow"]
