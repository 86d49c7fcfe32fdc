"""A folder for a benchmark's files, gone afterwards."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's user can reach, when this is root."""
    path = Path(tempfile.mkdtemp(prefix="perdure-bench-", dir=_base()))
    try:
        path.chmod(0o711)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _base() -> Path:
    return Path(tempfile.gettempdir())
