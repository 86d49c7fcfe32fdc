"""The command line's own shape: commands are imported when they run, and a process loads what it serves."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys

import pytest

from starter.cli.lazy import LazyCommand
from starter.cli.main import app

DATABASE_CLIENTS = {"sqlalchemy", "asyncpg", "obstore"}
HEAVY = DATABASE_CLIENTS | {"aiohttp", "alembic", "cryptography", "pyarrow", "stripe", "temporalio"}

LOADED = """
import os, sys
from starter.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
    sys.stdout.flush()
    os._exit(0)  # Temporal's client may crash the interpreter while it shuts down
"""


def _loaded(out: str) -> set[str]:
    """The packages that the process named as its last act."""
    *_, last = out.splitlines()
    word, *names = last.split()
    assert word == "loaded", out
    assert "starter" in names
    return set(names)


@pytest.mark.parametrize("name", app.commands)
def test_the_help_says_of_each_command_what_the_command_says_of_itself(name: str) -> None:
    command = app.commands[name]
    assert isinstance(command, LazyCommand)
    own = command.load()
    assert own.name == name
    assert command.get_short_help_str(1000) == own.get_short_help_str(1000)


def test_the_help_loads_no_library_that_a_command_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, "--help"], capture_output=True, text=True, check=True, env=_environment()
    )
    assert re.findall(r"^  ([a-z-]+)  ", ran.stdout, re.MULTILINE) == list(app.commands)
    assert not _loaded(ran.stdout) & HEAVY


async def test_the_webhook_loads_no_database_client() -> None:
    """Whoever takes the process that faces the internet over finds no way to the database in it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", LOADED, "webhook"),
        env=_environment(WEBHOOK_HOST="127.0.0.1", WEBHOOK_PORT="0", STRIPE_WEBHOOK_SECRET="whsec_" + "0" * 32),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 60)
        assert b"webhook: listening" in said, said + await process.stderr.read()
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    loaded = _loaded(out.decode())
    assert {"aiohttp", "temporalio"} <= loaded
    assert not loaded & DATABASE_CLIENTS


def _environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1", **settings}
