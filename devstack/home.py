"""The stack's data folder, `PERDURE_HOME`: its lock, what it remembers, and the file for other shells.

lock         held by the running stack
state.json   ports, generated secrets, the webhook endpoint (0600)
env          while the stack runs: how to reach everything, in shell syntax (0600)
logs/ postgres/ temporal/ reports/ stripe/
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from devstack.errors import StackError

LOCK_WAIT_SECONDS = 1.0


class Home:
    """One data folder. Hold it (`acquire`) before changing anything in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        self._state: dict[str, Any] = {}

    @property
    def env_file(self) -> Path:
        """The file for other shells."""
        return self.path / "env"

    def acquire(self) -> None:
        """Create the folder, acquire its lock, read its state, and delete the env file of a killed stack.

        Raises:
            StackError: another stack holds the folder, or it cannot be written.
        """
        try:
            self._create()
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise StackError(f"cannot use {self.path} as data folder: {error.strerror}") from error
        give_up = time.monotonic() + LOCK_WAIT_SECONDS  # a reader holds it only for an instant
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    lock.close()
                    raise StackError(
                        f"a stack is already running in {self.path}: stop it, or set PERDURE_HOME to another folder"
                    ) from None
                time.sleep(0.05)
        self._lock = lock
        self._state = self._read_state()
        self.env_file.unlink(missing_ok=True)

    def release(self) -> None:
        """Release the folder."""
        self.env_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def folder(self, name: str) -> Path:
        """Return a subfolder that only this user can read. Creates it if needed."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """Return the path of a part's log file."""
        return self.folder("logs") / f"{name}.log"

    def get(self, name: str) -> Any:
        """Return the value remembered under the name, or None."""
        return self._state.get(name)

    def remember(self, name: str, value: Any) -> None:
        """Keep a JSON value across restarts."""
        self._state[name] = value
        write_private(self.path / "state.json", json.dumps(self._state, indent=1) + "\n")

    def secret(self, name: str, prefix: str = "") -> str:
        """Return a secret, generated at its first use: letters and digits, safe in URLs and shells."""
        if not self.get(name):
            self.remember(name, prefix + secrets.token_hex(16))
        return str(self.get(name))

    def write_env(self, values: Mapping[str, str]) -> None:
        """Write the file from which other shells learn how to reach this stack."""
        self.remember("exported", dict(values))
        lines = [
            "# How to reach the running stack. `perdure up` writes this file and removes it when it stops.",
            *(f"export {name}={_quoted(value)}" for name, value in values.items()),
        ]
        write_private(self.env_file, "\n".join(lines) + "\n")

    def _create(self) -> None:
        if not self.path.exists():
            self.path.mkdir(parents=True)
            # As root, PostgreSQL's user must traverse this folder. It was just created; no folder above it is changed.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    def _read_state(self) -> dict[str, Any]:
        path = self.path / "state.json"
        if not path.exists():
            return {}
        try:
            state = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise StackError(f"cannot read {path}: {error}; restore it, or remove {self.path}") from error
        return state if isinstance(state, dict) else {}


def exported_by(path: Path) -> dict[str, str]:
    """Return the values that this folder's stack last exported to other shells; empty if unknown."""
    try:
        exported = json.loads((path / "state.json").read_text()).get("exported", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return exported if isinstance(exported, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, atomically."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _quoted(value: str) -> str:
    """Return the value in single quotes, which both shells and python-dotenv understand."""
    return shlex.quote(value) if "'" in value else f"'{value}'"
