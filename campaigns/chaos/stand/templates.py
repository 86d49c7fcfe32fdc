"""The start of every campaign, made once: a migrated PostgreSQL cluster, a Temporal database, and a nursery."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from campaigns.chaos.stand.forks import Nursery
from devstack import ports
from devstack.servers.postgres import Postgres
from devstack.servers.product import migrate
from devstack.servers.temporal import TemporalServer, temporal_ports
from devstack.servers.unprivileged import drop_user, private_folder

PASSWORD = "for-chaos-only"
# A SIGKILL loses what is not written, a power cut also what is not flushed: only power cuts are out of scope here.
POSTGRES = {"synchronous_commit": "on", "full_page_writes": "on", "log_min_messages": "fatal", "max_wal_size": "256MB"}


@dataclass(frozen=True)
class Templates:
    """A folder and a file to copy, and the nursery. Without a nursery (None) processes are started one by one."""

    postgres: Path
    temporal: Path
    nursery: Nursery | None

    def close(self) -> None:
        """End the nursery."""
        if self.nursery is not None:
            self.nursery.close()


def postgres_at(folder: Path, log: Path) -> Postgres:
    """Return a server that keeps what it has committed, however it is killed."""
    return Postgres(folder, ports.reserve(), PASSWORD, log, durable=False, extra=POSTGRES)


async def make_templates(folder: Path, environment: dict[str, str]) -> Templates:
    """Make both templates concurrently, and start the nursery."""
    nursery = Nursery(folder / "nursery.log", environment) if sys.platform == "linux" else None
    made = Templates(private_folder(folder / "postgres", drop_user()), folder / "temporal.db", nursery)
    server = TemporalServer(temporal_ports(ports.reserve()), folder / "temporal.log", made.temporal, headless=True)

    async def temporal() -> None:
        async with _running(server):
            pass

    async def postgres() -> None:
        database = postgres_at(made.postgres, folder / "postgres.log")
        async with _running(database):
            await migrate(folder / "migrate.log", {**environment, "DATABASE_URL": database.url()})

    await asyncio.gather(temporal(), postgres())
    return made


def copy_templates(templates: Templates, folder: Path) -> tuple[Path, Path]:
    """Copy the templates into a campaign's folder. Returns PostgreSQL's folder and Temporal's database file."""
    postgres, temporal = private_folder(folder / "postgres", drop_user()), folder / "temporal"
    temporal.mkdir()
    _copy(templates.postgres / "data", postgres / "data")
    for programs in templates.postgres.glob("programs-*"):
        (postgres / programs.name).symlink_to(programs)
    for file in templates.temporal.parent.glob(f"{templates.temporal.name}*"):
        _copy(file, temporal / file.name)
    return postgres, temporal / templates.temporal.name


def _copy(source: Path, target: Path) -> None:
    """Copy with owners and permissions; `shutil` does not keep owners."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@contextlib.asynccontextmanager
async def _running(server: Postgres | TemporalServer) -> AsyncIterator[None]:
    try:
        await server.start()
        yield
    finally:
        await server.stop()
