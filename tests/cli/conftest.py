"""The real `perdure`, run as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.postgres.database import Database
from storage.postgres.roles import OPERATOR
from storage.postgres.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role
from tests.support.system import GIVE_UP_SECONDS

UNREACHABLE_DATABASE = "postgresql://u:secret@127.0.0.1:1/none"


@dataclass(frozen=True)
class Ran:
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON that it printed, after a success."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def document_of_failure(self) -> Any:
        """The JSON that it printed, though it says by its status that something is amiss."""
        assert self.status == 1, self.err
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of its error: exit status 1, nothing on standard output, no traceback."""
        assert (self.status, self.out) == (1, ""), self
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("perdure: "), self.err
        return lines[0].removeprefix("perdure: ")


@dataclass
class Perdure:
    """`await perdure("rates", "check", "r.toml")`, in an empty working directory, with these settings alone.

    It logs in to the tests' databases as `perdure_operator`, as a deployment's command line does.
    """

    cwd: Path
    settings: dict[str, str]

    async def __call__(self, *arguments: object, stdin: bytes = b"", **settings: str) -> Ran:
        environment = {**os.environ, **self.settings, **settings}
        if environment.get("DATABASE_URL") not in (None, "", UNREACHABLE_DATABASE):
            environment["DATABASE_URL"] = as_role(environment["DATABASE_URL"], OPERATOR)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starter.cli.main", *map(str, arguments)),
            cwd=self.cwd,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), GIVE_UP_SECONDS)
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())


@pytest.fixture
def perdure(tmp_path: Path) -> Perdure:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return Perdure(folder, {})


async def migrated(url: str) -> None:
    await upgrade(url)


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database(migrated)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, 2)
    yield database
    await database.close()
