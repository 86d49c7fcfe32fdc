"""PostgreSQL refuses to run as root: the user that runs it instead, and a data folder that this user can reach.

Nothing here ever changes the permissions of a folder that it did not create. Data that the unprivileged user could not
reach (below a home folder, say) goes to its own folder in `/var/tmp`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess  # nosec
from collections.abc import Sequence
from pathlib import Path

from devstack.errors import StackError
from devstack.processes import User

UNPRIVILEGED = ("nobody", "daemon")
ELSEWHERE = Path("/var/tmp")  # noqa: S108
OWNER_FILE = "belongs-to"


def drop_user() -> User | None:
    """Return the user that runs PostgreSQL: None for the current user, `nobody` if that is root.

    Raises:
        StackError: the current user is root, and the system has no unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise StackError("PostgreSQL does not run as root, and this system has no user `nobody` or `daemon` to run it")


def run_as(
    user: User | None, command: Sequence[str | Path], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short command as the user. The result has its output as text, both streams together.

    Raises:
        StackError: the command cannot be started at all.
    """
    ids = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    try:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # noqa: S603
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=environment,
            cwd=cwd or "/",
            **ids,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"cannot run {command[0]} as {user.name if user else 'this user'}: {error}") from error


def reachable(folder: Path, user: User) -> bool:
    """Whether the user can enter the folder. Tries it, because access lists count too."""
    return run_as(user, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0


def private_folder(path: Path, user: User | None) -> Path:
    """Create the folder for this user only, or use the existing one.

    Raises:
        StackError: it belongs to another user.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user and path.stat().st_uid == os.geteuid() and not any(path.iterdir()):
        os.chown(path, user.uid, user.gid)
    wanted = user.uid if user else os.geteuid()
    if path.stat().st_uid != wanted:
        raise StackError(f"{path} belongs to another user: start as that user, or remove the folder")
    return path


def data_folder(wanted: Path, home_id: str, user: User | None) -> Path:
    """Return the folder for PostgreSQL's files: `wanted` if the user can reach its parent, or one in /var/tmp.

    Args:
        wanted: the preferred folder.
        home_id: identifies the home. A folder in /var/tmp of another home, removed since, is deleted.
        user: the user that runs PostgreSQL, None for the current one.

    Raises:
        StackError: the folder belongs to another user.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if user is None or reachable(wanted.parent, user):
        return private_folder(wanted, user)
    digest = hashlib.sha256(str(wanted.parent.resolve()).encode()).hexdigest()[:12]
    outside = ELSEWHERE / f"perdure-{digest}"
    try:
        outside.mkdir(mode=0o711)
        outside.chmod(0o711)  # whatever the umask
    except FileExistsError:
        _check_own(outside)
    owner = outside / OWNER_FILE
    if not owner.exists() or owner.read_text() != home_id:
        shutil.rmtree(outside / wanted.name, ignore_errors=True)
        owner.write_text(home_id)
        owner.chmod(0o600)
    return private_folder(outside / wanted.name, user)


def _check_own(folder: Path) -> None:
    """Refuse a folder that another user created in the shared folder under the expected name."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise StackError(f"{folder} was not made by Perdure: remove it, or set PERDURE_HOME to another folder")
