"""SQL by subject: a named statement is called only from its own folder, and sets of states come from the enum."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

import pytest

from storage.postgres.statements import STATES, statement, statements
from tests.architecture.sources import MODULES, ROOMS, ROOT, files

STORAGE = ROOT / "storage"
SQL = {
    str(path.relative_to(STORAGE).with_suffix("")): path.read_text()
    for path in sorted(STORAGE.rglob("*.sql"))
    if "schema" not in path.parts
}
PYTHON = {
    str(path.relative_to(ROOT)): source
    for room in (*ROOMS, *MODULES)
    for path in files(room)
    if "statement" in (source := path.read_text()) or room == "storage"
}

# SQLAlchemy ignores `yield_per` for SQL that is written as text, and then reads all rows into the first partition.
_ALL_AT_ONCE = re.compile(r"\.partitions\(\s*\)|yield_per")
_FRAGMENT = re.compile(r"\{(\w+)\}")
_LITERALS = re.compile(r"'\w+'(?:,\s*'\w+')+")


@dataclass(frozen=True)
class Call:
    """A call of `statement`; arguments that are not literals are None."""

    topic: str | None
    name: str | None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def calls(source: str) -> tuple[Call, ...]:
    """Return every call of `statement`, by that name or as an attribute of its module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "statement":
            topic, name = node.args
            found.append(Call(_text(topic), _text(name)))
    return tuple(found)


def _texts(source: str) -> set[str]:
    return {text for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr) and (text := _text(node))}


def renamed(source: str) -> bool:
    """Return whether `statement` is imported under another name, so that its calls would not be seen."""
    return any(
        alias.name == "statement" and alias.asname is not None
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def foreign(path: str, source: str) -> list[Call]:
    """Return a file's calls of statements from other folders, or of topics that are not literals."""
    folder = path.removeprefix("storage/").rpartition("/")[0] if path.startswith("storage/") else None
    return [call for call in calls(source) if call.topic is None or call.topic.rpartition("/")[0] != folder]


def used(topic: str, sources: dict[str, str]) -> set[str]:
    """Return a topic's called statements; where a name is chosen at run time, all that the file spells out."""
    names: set[str] = set()
    for source in sources.values():
        for call in calls(source):
            if call.topic == topic:
                names |= _texts(source) if call.name is None else {call.name}
    return names


def with_fragments(topic: str, names: set[str]) -> set[str]:
    """Return the statements and the fragments that they are made of."""
    written = statements(topic)
    found: set[str] = set()
    waiting = [name for name in names if name in written]
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += [part for part in _FRAGMENT.findall(written[name]) if part in written and part not in found]
    return found


def listed(sql: str) -> list[str]:
    """Return the lists of literals that contain a whole named set of states."""
    named = [set(re.findall(r"\w+", literals)) for literals in STATES.values()]
    lists = [found[0] for found in _LITERALS.finditer(sql)]
    return [each for each in lists if any(states <= set(re.findall(r"\w+", each)) for states in named)]


def test_a_statement_is_called_from_its_own_folder_only() -> None:
    for path, source in PYTHON.items():
        assert not renamed(source), path
        assert foreign(path, source) == [], path


def test_a_foreign_statement_is_seen() -> None:
    own, other = 'statement("claims/claims", "lines")', 'statement("invoices/invoices", "lines")'
    assert foreign("storage/claims/amendment.py", own) == []
    assert foreign("storage/claims/amendment.py", f"{own}\n{other}") == [Call("invoices/invoices", "lines")]
    assert foreign("storage/claims/amendment.py", f"statements.{other}") == [Call("invoices/invoices", "lines")]
    assert foreign("storage/claims/amendment.py", "statement(topic, 'lines')") == [Call(None, "lines")]
    assert foreign("activities/postgres/periods/periods.py", own) == [Call("claims/claims", "lines")]
    assert renamed("from storage.postgres.statements import statement as s")


@pytest.mark.parametrize("topic", SQL)
def test_every_statement_is_used_and_complete(topic: str) -> None:
    assert set(statements(topic)) - with_fragments(topic, used(topic, PYTHON)) == set()
    for name in statements(topic):
        statement(topic, name)


def test_a_statement_that_nobody_calls_is_seen() -> None:
    topic = "claims/claims"
    assert used(topic, {"a.py": f'statement("{topic}", "lines")'}) == {"lines"}
    assert "tune" not in used(topic, {"a.py": 'statement("usage/instances", "tune")'})
    chosen = {"a.py": f'for name in ("lines", "conflict"):\n    statement("{topic}", name)'}
    assert used(topic, chosen) >= {"lines", "conflict"}
    usage = {"usage", "marks", "chargeable", "ran", "of_instances"}
    assert with_fragments(topic, {"preview_lines"}) == {"preview_lines", "lines", *usage}


def test_no_statement_is_named_like_a_set_of_states() -> None:
    for topic in SQL:
        assert not set(statements(topic)) & set(STATES), topic


def test_sets_of_states_are_not_spelled_out() -> None:
    for path, source in {**SQL, **PYTHON}.items():
        if not path.startswith("storage/schema/"):  # a migration keeps its original text
            assert listed(source) == [], path


def test_a_set_of_states_that_is_spelled_out_is_seen() -> None:
    assert listed("state NOT IN ('voided', 'deleted')") == ["'voided', 'deleted'"]
    assert listed("state IN ('blocked', 'finalized',\n    'draft', 'claimed')") != []
    assert listed("state IN ('deleted', 'voided', 'paid')") != []
    assert listed("kind IN ('billed', 'draft') AND state IN ({dead})") == []


def test_streams_are_read_in_partitions_of_a_size() -> None:
    assert [name for name, source in PYTHON.items() if _ALL_AT_ONCE.search(source)] == []
