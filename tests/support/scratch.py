"""Folders for servers that tests start, removed even after a run that was killed (by the next run)."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devstack.servers.unprivileged import drop_user, reachable

PREFIX = "perdure-test-"
LOCK = "lock"


def base_folder() -> Path:
    """A temporary folder that also PostgreSQL's user can reach, when this is root."""
    user = drop_user()
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next((path for path in candidates if user is None or reachable(path, user)), candidates[0])


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this process; it holds a lock in it as long as it lives."""
    base = base_folder()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.chmod(0o711)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    """Remove what killed runs left: folders whose lock nobody holds."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
