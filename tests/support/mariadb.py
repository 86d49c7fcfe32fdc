"""A MariaDB of its own, from Debian's package: on a free port, as an unprivileged user, gone with the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest

from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child, User
from devstack.servers.unprivileged import data_folder, drop_user, run_as

REQUIRED = "PERDURE_TEST_MARIADB"
USER, PASSWORD, DATABASE = "reader", "for tests/only", "product"
_INSTALL = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
_SERVE = (
    *("--no-defaults", "--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"),
    *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--key-buffer-size=1M"),
)


@dataclass
class MariaDb:
    """One server, with a database and a user that may do everything in it."""

    folder: Path
    port: int
    log: Path
    user: User | None
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        init = self.folder / "init.sql"
        command = [_program("mariadbd"), *_SERVE, f"--datadir={self.folder / 'data'}", f"--init-file={init}"]
        command += [f"--pid-file={self.folder / 'data' / 'pid'}", f"--tmpdir={self.folder}"]
        command += [f"--port={self.port}", f"--bind-address={ports.HOST}", f"--socket={self.folder / 'socket'}"]
        self.child = Child("MariaDB", command, self.log, env={"PATH": os.defpath}, cwd=Path("/"), user=self.user)

    @property
    def url(self) -> str:
        """The URL of the database, as a source has it."""
        password = PASSWORD.replace("/", "%2F").replace(" ", "%20")
        return f"mysql://{USER}:{password}@{ports.HOST}:{self.port}/{DATABASE}"

    def connect(self) -> Any:
        """Return a connection of its own, which commits each statement."""
        return pymysql.connect(
            host=ports.HOST, port=self.port, user=USER, password=PASSWORD, database=DATABASE, autocommit=True
        )

    def execute(self, *statements: str) -> None:
        """Execute statements."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    async def start(self) -> None:
        """Create the data folder, start the server, and wait until the user can connect."""
        if not (self.folder / "data").exists():
            await asyncio.to_thread(self._install)
        self.child.start()
        await self.child.wait_ready(self._ready, timeout_seconds=120)

    async def stop(self) -> None:
        """Kill it: nothing is kept."""
        self.child.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the server for the length of the block: it answers nothing, and its connections stay."""
        pid = int((self.folder / "data" / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _install(self) -> None:
        (self.folder / "init.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n"
        )
        (self.folder / "init.sql").chmod(0o644)
        # A server that starts deletes the temporary tables of every other server in the same folder.
        folders = [f"--datadir={self.folder / 'data'}", f"--tmpdir={self.folder}"]
        made = run_as(self.user, [_program("mariadb-install-db"), *_INSTALL, *folders])
        if made.returncode:
            raise StackError(f"mariadb-install-db failed: {made.stdout[:500]}")

    async def _ready(self) -> bool:
        with contextlib.suppress(pymysql.Error):
            await asyncio.to_thread(self.execute, "SELECT 1")
            return True
        return False


@asynccontextmanager
async def serving_mariadb(scratch: Path) -> AsyncIterator[MariaDb]:
    """Yield a server. Without the programs the tests are skipped, or fail where PERDURE_TEST_MARIADB is set."""
    if shutil.which("mariadbd", path=_PATH) is None:
        if os.environ.get(REQUIRED):
            pytest.fail("mariadbd is not installed: apt-get install mariadb-server")
        pytest.skip("mariadbd is not installed, so MariaDB is not tested: apt-get install mariadb-server")
    user = drop_user()
    folder = data_folder(scratch / "mariadb", "tests", user)
    server = await ports.start_on_a_port(lambda port: MariaDb(folder, port, scratch / "mariadb.log", user))
    try:
        yield server
    finally:
        await server.stop()


_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def _program(name: str) -> str:
    return shutil.which(name, path=_PATH) or name
