"""Record what a released version leaves behind after it billed May: `python -m tests.upgrade.record`.

Run it in a checkout of that release. It starts servers of its own, bills `tests/upgrade/may.py` with the release's
code, and writes `tests/upgrade/<its schema revision>/`, which the upgrade test of every later version loads:

| file | content |
| --- | --- |
| `database.sql` | the database, as SQL without owners and privileges |
| `emulator.sql.gz` | Stripe: the emulator's state, as SQL |
| `reports.zip` | the report store: its paths have colons, which not every file system takes |
| `histories.jsonl.gz` | the histories of all workflows, one line each |
| `rates.toml` | the rate card |

A release whose `may.py` lacks something worth keeping gets the newer one and this file copied over its own first. Only
helpers that the release has can be used.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from devstack.servers.postgres import Postgres, programs
from devstack.servers.temporal import start_headless
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade
from tests.support.histories import record_histories
from tests.support.isolation import isolate
from tests.support.roles import create_roles
from tests.support.scratch import scratch_folder
from tests.support.system import running_system
from tests.upgrade.may import OPTIONS, RATES, bill_may

_PASSWORD = "for-tests-only"
# Settings that an older server does not know, and `psql` commands: a driver loads the file as one script.
_NOT_SQL = re.compile(r"SET |\\|--")


async def record(scratch: Path) -> Path:
    """Bill May on servers in the folder `scratch`, and write what it leaves. Returns the written folder."""
    postgres = Postgres(
        data_folder(scratch / "postgres", "tests", drop_user()), ports.reserve(), _PASSWORD, scratch / "postgres.log",
        durable=False,
    )  # fmt: skip
    product, stripe = scratch / "product", scratch / "stripe"
    for folder in (product, stripe):
        folder.mkdir()
    emulator = EmulatorServer(stripe, ports.reserve(), stripe / "log", "sk_test_for_tests_only")
    histories = scratch / "histories"
    async with AsyncExitStack() as stack:
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        await create_roles(postgres.url())
        temporal = await start_headless(scratch / "temporal.log")
        stack.push_async_callback(temporal.stop)
        await emulator.start()
        revision = await upgrade(postgres.url())
        client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        async with running_system(client, postgres.url(), emulator, product, rate_card=RATES, **OPTIONS) as system:
            await bill_may(system)
            await system.stop()
            await record_histories(system.client, histories, "may")
        await emulator.stop()
        target = Path(__file__).parent / revision
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        (target / "database.sql").write_text(_dump(postgres))
    _pack(target / "emulator.sql.gz", _stripe(stripe / "emulator.db"))
    texts = [json.loads(path.read_text()) for path in sorted(histories.glob("*.json"))]
    _pack(target / "histories.jsonl.gz", "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in texts))
    shutil.make_archive(str(target / "reports"), "zip", product / "reports")
    (target / "rates.toml").write_text(RATES)
    return target


def _dump(postgres: Postgres) -> str:
    """Return the database as SQL that one call of a driver can run."""
    command: list[str | Path] = [programs(postgres.folder, postgres.user) / "pg_dump", postgres.url()]
    command += ["--no-owner", "--no-privileges", "--no-comments", "--inserts", "--rows-per-insert=50"]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in made.splitlines() if not _NOT_SQL.match(line)]
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)) + "\n"


def _stripe(file: Path) -> str:
    """Return the emulator's state as SQL, with its clock stopped at this instant: no timer fires before the test."""
    with closing(sqlite3.connect(file)) as database:
        now = {"offset_seconds": 0.0, "frozen_at": datetime.now(UTC).timestamp()}
        database.execute("INSERT OR REPLACE INTO meta VALUES ('clock', ?)", (json.dumps(now),))
        return "\n".join(database.iterdump()) + "\n"


def _pack(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


async def main() -> None:
    """Record the state of the version in this checkout."""
    isolate()
    with scratch_folder() as scratch:
        folder = await record(scratch)
    print(f"recorded {folder}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
