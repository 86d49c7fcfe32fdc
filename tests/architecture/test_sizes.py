"""Size limits that keep code easy to find: files of 300 lines, functions of 40, folders of about a dozen files."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, own_files

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40
MOST_FILES = 14


def sources(root: Path) -> list[Path]:
    """Return the repository's own Python files below a folder."""
    return [path for path in own_files(root) if path.suffix == ".py"]


def too_long(path: Path) -> list[str]:
    """Return what is too long in a file: the file itself, or functions in it."""
    text = path.read_text()
    found = [f"{path}: {count} lines"] if (count := len(text.splitlines())) > MOST_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                found.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    return found


def test_no_file_and_no_function_is_too_long() -> None:
    assert [line for path in sources(ROOT) for line in too_long(path)] == []


def test_no_folder_is_too_full() -> None:
    folders = Counter(path.parent for path in sources(ROOT) if path.relative_to(ROOT).parts[0] != "tests")
    assert {str(folder): count for folder, count in folders.items() if count > MOST_FILES} == {}


@pytest.mark.parametrize("text", ["#\n" * 301, "def f():\n" + "    pass\n" * 40])
def test_what_is_too_long_is_seen(tmp_path: Path, text: str) -> None:
    path = tmp_path / "long.py"
    path.write_text(text)
    assert too_long(path)
