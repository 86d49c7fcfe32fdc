"""Folders for the servers that tests start; the next run removes those of a killed run."""

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
    """Return a temporary folder that PostgreSQL's user can reach too, if this process runs as root."""
    user = drop_user()
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next((path for path in candidates if user is None or reachable(path, user)), candidates[0])


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder of this process, which holds a lock in it."""
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
    """Remove what killed runs left behind: folders whose lock no process holds."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
