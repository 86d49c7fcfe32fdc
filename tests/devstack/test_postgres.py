"""The embedded PostgreSQL: it keeps its data, recovers after kills, is private, and changes no other permissions."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
import pytest

from devstack import ports
from devstack.errors import StackError
from devstack.servers.postgres import Postgres
from devstack.servers.unprivileged import ELSEWHERE, data_folder, drop_user
from tests.devstack.conftest import wait_until

pytestmark = pytest.mark.waits

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another user")


Make = Callable[..., Postgres]


@pytest.fixture
async def server_in(home: Path) -> AsyncIterator[Make]:
    made: list[Postgres] = []

    def make(folder: Path, password: str = "secret") -> Postgres:
        log = home.parent / f"{home.name}.log"
        made.append(Postgres(folder, ports.reserve(), password, log, durable=False))
        return made[-1]

    yield make
    for server in made:
        await server.stop()


async def fetch(server: Postgres, query: str, url: str | None = None) -> object:
    connection = await asyncpg.connect(url or server.url())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@contextlib.contextmanager
def innocent_process() -> Iterator[subprocess.Popen[bytes]]:
    """Run an unrelated process of PostgreSQL's user."""
    user = drop_user()
    ids = {"user": user.uid, "group": user.gid} if user else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **ids) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder(home: Path) -> Path:
    return data_folder(home / "postgres", "id", drop_user())


async def test_data_outlives_stop_and_kill(folder: Path, server_in: Make) -> None:
    server = server_in(folder)
    await server.start()
    await fetch(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    await server.stop()
    assert server.child.exit_status == 0

    killed = server_in(folder)
    await killed.start()
    assert await fetch(killed, "SELECT answer FROM kept") == 42
    children = psutil.Process(killed.child.pid).children()
    os.kill(killed.child.pid, signal.SIGKILL)
    await killed.child.wait()
    wait_until(lambda: not any(child.is_running() for child in children))

    # The pid in the stale pid file now belongs to an unrelated process of the same user.
    with innocent_process() as innocent:
        pid_file = server.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
        again = server_in(folder)
        await again.start()
        assert await fetch(again, "SELECT answer FROM kept") == 42
        assert innocent.poll() is None

    # The processes that a killed stack left on the data are stopped before the start.
    heir = server_in(folder)
    await heir.start()
    assert await fetch(heir, "SELECT answer FROM kept") == 42
    assert not again.child.running
    await heir.stop()


async def test_it_is_private(folder: Path, server_in: Make) -> None:
    server = server_in(folder)
    await server.start()
    try:
        assert "SCRAM-SHA-256" in str(await fetch(server, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetch(server, "SELECT 1", server.url().replace("secret", "guess"))
        assert await fetch(server, "SHOW unix_socket_directories") == ""
        assert await fetch(server, "SHOW listen_addresses") == "127.0.0.1"
        assert [path for path in (folder, server.data) if os.stat(path).st_mode & 0o077] == []
        process = psutil.Process(server.child.pid)
        assert process.uids().effective != 0
        assert "secret" not in " ".join(process.cmdline())
    finally:
        await server.stop()
    with pytest.raises(StackError, match="has another password"):
        await server_in(folder, "other").start()
    wait_until(lambda: not [p for p in psutil.process_iter() if str(server.data) in " ".join(_cmdline(p))])


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@as_root
async def test_a_home_out_of_reach_is_left_as_it_is(home: Path, server_in: Make) -> None:
    closed = home / "root-only"
    closed.mkdir(parents=True, mode=0o700)
    above = [closed, *closed.parents]
    before = [path.stat().st_mode for path in above]
    folder = data_folder(closed / ".perdure" / "postgres", "first", drop_user())
    assert folder.parent.parent == ELSEWHERE
    try:
        server = server_in(folder)
        await server.start()
        await server.stop()
        assert [path.stat().st_mode for path in above] == before
        assert data_folder(closed / ".perdure" / "postgres", "first", drop_user()) == folder
        assert server.data.exists()
        # The same path, but the home was removed and created again in between.
        data_folder(closed / ".perdure" / "postgres", "second", drop_user())
        assert not server.data.exists()
    finally:
        shutil.rmtree(folder.parent)


@as_root
async def test_programs_out_of_reach_are_copied(folder: Path, server_in: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.servers.postgres._runs", lambda *_: False)
    server = server_in(folder)
    assert folder in Path(server.child.command[0]).parents
    await server.start()
    await server.stop()


@as_root
def test_a_folder_that_somebody_put_there_is_refused(home: Path) -> None:
    closed = home / "root-only"
    closed.mkdir(parents=True, mode=0o700)
    user = drop_user()
    assert user is not None
    folder = data_folder(closed / "postgres", "id", user)
    try:
        os.chown(folder.parent, user.uid, user.gid)
        with pytest.raises(StackError, match="was not made by Perdure"):
            data_folder(closed / "postgres", "id", user)
    finally:
        shutil.rmtree(folder.parent)
