"""A temporary folder for a benchmark's files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Yield a temporary folder, then remove it. PostgreSQL's user can reach it when the benchmark runs as root."""
    path = Path(tempfile.mkdtemp(prefix="perdure-bench-", dir=_base()))
    try:
        path.chmod(0o711)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _base() -> Path:
    return Path(tempfile.gettempdir())
