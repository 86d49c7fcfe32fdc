"""The table in docs/security.md is the matrix with which the grants are compared."""

from __future__ import annotations

import re
from pathlib import Path

from tests.roles.matrix import MATRIX

PAGE = Path(__file__).resolve().parents[2] / "docs/security.md"


def test_the_documents_table_is_the_matrix() -> None:
    rows = re.findall(r"^\| `(\w+)`" + r" \| ([rawd-]+)" * 5 + r" \|$", PAGE.read_text(), re.MULTILINE)
    assert {table: letters for table, *letters in rows} == {table: list(letters) for table, letters in MATRIX.items()}
