"""Help, version and completion: what a person types first."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from starter.cli.main import app
from starter.cli.shell.examples import EXAMPLES
from starter.cli.shell.lazy import LazyCommand

PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
CPU_SECONDS = 0.3
STARTS = """
import sys
from starter.cli.entry import run
sys.argv = ["perdure", "keys", "list"]
print("up", flush=True)
run()
"""


def every_command(command: Any = app, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command and group with the words that call it."""
    if isinstance(command, LazyCommand):
        command = command.load()
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from every_command(each, f"{path} {name}".strip())


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_fits_and_ends_with_examples(path: str) -> None:
    command = COMMANDS[path]
    context = command.context_class(command, info_name=f"perdure {path}".strip(), terminal_width=78)
    lines = command.get_help(context).splitlines()
    assert max(map(len, lines)) <= 80
    if not hasattr(command, "commands"):
        assert any(line.startswith(f"    perdure {path}") for line in lines[lines.index("  Examples:") :])


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_are_commands_that_exist(path: str) -> None:
    """They are parsed as a shell and the command would, and not run."""
    for line in EXAMPLES[path]:
        words = shlex.split(line.partition(" > ")[0])
        assert not path or line.startswith(path)
        found: Any = app
        while hasattr(found, "commands"):
            found, words = found.commands[words[0]], words[1:]
            found = found.load() if isinstance(found, LazyCommand) else found
        found.make_context("perdure", words)


def test_the_version() -> None:
    ran = subprocess.run([*PERDURE, "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("perdure ")
    assert "schema 00" in ran.stdout


def test_the_help_costs_little() -> None:
    """CPU time, which does not depend on what else runs here."""
    best = 9.0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PERDURE, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < CPU_SECONDS


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("perdure inv", "invoices"),
        ("perdure invoices sh", "show"),
        ("perdure invoices list --so", "--sort"),
        ("perdure worker --queue str", "stripe"),
    ],
)
def test_a_shell_completes_it(line: str, completed: str) -> None:
    environment = {**os.environ, "_PERDURE_COMPLETE": "complete_bash", "COMP_WORDS": line}
    environment["COMP_CWORD"] = str(len(line.split()) - 1)
    ran = subprocess.run(PERDURE, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == [completed]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_of_the_shells(shell: str) -> None:
    ran = subprocess.run([*PERDURE, "completion", shell], capture_output=True, text=True, check=True)
    assert "_PERDURE_COMPLETE=complete_" in ran.stdout.replace('"', "")
    assert "perdure" in ran.stdout


@pytest.mark.parametrize("after_seconds", [0.02, 0.05, 0.1, 0.2])
def test_ctrl_c_while_it_starts_is_silent(after_seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", STARTS],
        env={**os.environ, "PAYLOAD_KEYS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after_seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
