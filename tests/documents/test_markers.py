"""No file of the repository has the marks that a merge leaves in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(rb"^(?:<{7}|\|{7}|>{7})(?: |$)", re.MULTILINE)


def test_no_file_has_conflict_marks() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    files = [ROOT / name.decode() for name in listed if name]
    assert files
    assert [path for path in files if path.is_file() and MARK.search(path.read_bytes())] == []
