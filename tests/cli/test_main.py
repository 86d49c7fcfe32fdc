"""The shape of the command line: commands are imported when they run, and a process loads only what it needs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from starter.cli.main import app
from starter.cli.shell.groups import MEMBERS
from starter.cli.shell.lazy import LazyCommand

DATABASE_CLIENTS = {"sqlalchemy", "asyncpg", "obstore"}
HEAVY = DATABASE_CLIENTS | {"aiohttp", "alembic", "cryptography", "pyarrow", "stripe", "temporalio"}

MARGIN = 2
"""Columns of the terminal that the help leaves free."""

LOADED = """
import os, sys
from starter.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
    sys.stdout.flush()
    os._exit(0)  # Temporal's client can crash the interpreter during shutdown
"""


def _loaded(out: str) -> set[str]:
    """Return the packages that the process named in its last line."""
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


@pytest.mark.parametrize("name", MEMBERS)
def test_the_help_of_a_group_that_loads_late_is_its_own(name: str) -> None:
    """A command that is added to the group is added to `MEMBERS`, too."""
    command = app.commands[name]
    assert isinstance(command, LazyCommand)
    outline, own = command.outline(), command.load()
    first, second = (
        group.get_help(group.context_class(group, info_name=name, terminal_width=80)) for group in (outline, own)
    )
    assert first == second


def test_the_help_of_a_group_loads_no_library_that_its_commands_need() -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, "invoices", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
    )
    assert "  approve " in ran.stdout
    assert not _loaded(ran.stdout) & HEAVY


@pytest.mark.parametrize("name", ["perdure", *app.commands])
def test_no_summary_is_cut_on_a_terminal_of_80_columns(name: str) -> None:
    group: Any = app if name == "perdure" else app.commands[name]
    if isinstance(group, LazyCommand):
        group = group.load()
    context = group.context_class(group, info_name=name, terminal_width=80 - MARGIN)
    text = group.get_help(context)
    assert "..." not in text.replace("[ARGS]...", "")
    assert max(map(len, text.splitlines())) <= 80


def test_the_help_loads_no_library_that_a_command_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, "--help"], capture_output=True, text=True, check=True, env=_environment()
    )
    assert re.findall(r"^  ([a-z][a-z-]*)  ", ran.stdout, re.MULTILINE) == list(app.commands)
    assert not _loaded(ran.stdout) & HEAVY


async def test_the_webhook_loads_no_database_client() -> None:
    """The process faces the internet: an attacker who controls it must find no way to the database in it."""
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


async def test_the_api_loads_no_client_of_temporal_or_stripe() -> None:
    """The process can face the internet: it has nothing with which to start a run or to reach Stripe."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", LOADED, "api"),
        env=_environment(API_PORT="0", DATABASE_URL="postgresql://perdure_api:x@127.0.0.1:1/perdure"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 60)
        assert b"api: listening" in said, said + await process.stderr.read()
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    loaded = _loaded(out.decode())
    assert {"aiohttp", "asyncpg"} <= loaded
    assert not loaded & {"temporalio", "stripe", "obstore", "pyarrow"}


def _environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1", **settings}
