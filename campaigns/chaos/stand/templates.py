"""The start of every campaign, made once: a migrated PostgreSQL cluster, a Temporal database, and a nursery."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from campaigns.chaos.stand.forks import Nursery
from devstack import ports
from devstack.servers.postgres import Postgres
from devstack.servers.product import migrate
from devstack.servers.temporal import TemporalServer, temporal_ports
from devstack.servers.unprivileged import drop_user, private_folder

PASSWORD = "for-chaos-only"
ROLES = {"sources": "perdure_ingest", "api": "perdure_api"}
"""The database roles of the processes that have one of their own."""
# A SIGKILL loses what is not written, a power cut also what is not flushed: only power cuts are out of scope here.
POSTGRES = {"synchronous_commit": "on", "full_page_writes": "on", "log_min_messages": "fatal", "max_wal_size": "256MB"}


@dataclass(frozen=True)
class Templates:
    """Folders and a file to copy, and the nursery. Without a nursery (None) processes are started one by one."""

    postgres: Path
    product: Path
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
    own, product = (private_folder(folder / name, drop_user()) for name in ("postgres", "product"))
    made = Templates(own, product, folder / "temporal.db", nursery)
    server = TemporalServer(temporal_ports(ports.reserve()), folder / "temporal.log", made.temporal, headless=True)

    async def temporal() -> None:
        async with _running(server):
            pass

    async def postgres() -> None:
        database = postgres_at(made.postgres, folder / "postgres.log")
        async with _running(database):
            connection = await asyncpg.connect(database.url())
            for role in ROLES.values():
                await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
            await connection.close()
            await migrate(folder / "migrate.log", {**environment, "DATABASE_URL": database.url()})

    async def product_database() -> None:
        async with _running(postgres_at(made.product, folder / "product.log")):
            pass

    await asyncio.gather(temporal(), postgres(), product_database())
    return made


def copy_templates(templates: Templates, folder: Path) -> tuple[Path, Path]:
    """Copy the templates into a campaign's folder. Returns PostgreSQL's folder and Temporal's database file."""
    postgres, temporal = _copy_cluster(templates.postgres, folder / "postgres"), folder / "temporal"
    temporal.mkdir()
    for file in templates.temporal.parent.glob(f"{templates.temporal.name}*"):
        _copy(file, temporal / file.name)
    return postgres, temporal / templates.temporal.name


def copy_product(templates: Templates, folder: Path) -> Path:
    """Copy the template of a product's own database into a campaign's folder. Returns PostgreSQL's folder."""
    return _copy_cluster(templates.product, folder / "product")


def _copy_cluster(template: Path, folder: Path) -> Path:
    made = private_folder(folder, drop_user())
    _copy(template / "data", made / "data")
    for programs in template.glob("programs-*"):
        (made / programs.name).symlink_to(programs)
    return made


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
