"""The folders of campaigns, removed afterwards; the next run removes those of a killed run."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devstack.servers.unprivileged import drop_user, reachable

_PREFIX = "perdure-chaos-"
_LOCK = "lock"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Yield a folder for this run, locked while it lasts. Folders of failed campaigns in it (`seed-*`) are kept."""
    user = drop_user()
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    base = next((path for path in candidates if user is None or reachable(path, user)), candidates[0])
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    folder.chmod(0o711)  # PostgreSQL's user must pass through
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            for path in folder.iterdir():
                if path.is_dir() and not path.name.startswith("seed-"):
                    shutil.rmtree(path, ignore_errors=True)
                elif not path.is_dir():
                    path.unlink()
            with contextlib.suppress(OSError):
                folder.rmdir()  # fails if a campaign's folder is left


def seed_folder(folder: Path, seed: int) -> Path:
    """Create the empty folder of a campaign."""
    made = folder / f"seed-{seed}"
    made.mkdir()
    made.chmod(0o711)
    return made


def _sweep(base: Path) -> None:
    """Remove what killed runs left behind: folders whose lock no process holds."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
