"""A database that is away: said within seconds, with advice that fits what is wrong."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from settings import Settings
from starter.cli.database import open_database
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.cli.conftest import UNREACHABLE_DATABASE, Perdure

pytestmark = pytest.mark.waits

_LISTING = ("invoices", "list")


async def test_a_stopped_server_is_said_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # as a stopped process: the kernel accepts, nobody answers
        place = f"127.0.0.1:{silent.getsockname()[1]}/x"
        given = Settings(database_url=SecretStr(f"postgresql://u:secret@{place}"))
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError) as raised:
            async with open_database(given):
                pass
    said = f"PostgreSQL at {place} does not answer: it is stopped or too busy, or a firewall is in between"
    assert str(raised.value) == said
    assert time.monotonic() - started < 10  # the driver alone waits for 15 s


async def test_nobody_listens(perdure: Perdure) -> None:
    ran = await perdure(*_LISTING, DATABASE_URL=UNREACHABLE_DATABASE)
    assert ran.status == 69
    assert ran.err.endswith("; start PostgreSQL, or check the host and the port in DATABASE_URL\n")


async def test_a_wrong_database_or_password(perdure: Perdure, database_url: str) -> None:
    other = await perdure(*_LISTING, DATABASE_URL=database_url.rpartition("/")[0] + "/none_such")
    assert other.status == 69
    assert other.err.endswith("; check the database's name in DATABASE_URL\n")
    password = urlsplit(database_url).password
    assert password
    wrong = Database(database_url.replace(password, "wrong", 1))
    with pytest.raises(DatabaseUnavailableError, match=r"; check the user and the password in DATABASE_URL$"):
        await wrong.ping()
    await wrong.close()


async def test_the_settings_of_a_stopped_stack(perdure: Perdure, tmp_path: Path) -> None:
    ran = await perdure(*_LISTING, DATABASE_URL=UNREACHABLE_DATABASE, PERDURE_STACK=str(tmp_path))
    assert ran.err.endswith(
        f"; this shell has the settings of the stack in {tmp_path}, which is stopped: `perdure up` starts it\n"
    )
