"""One confirmation for everything that asks before it acts."""

from __future__ import annotations

import select
import signal
import sys

from starter.cli.exits import CommandError, ExitStatus
from starter.cli.output import console

_NOTICED_SECONDS = 0.2


def can_ask() -> bool:
    """Return whether there is a person to ask: stdin and stderr are terminals."""
    return sys.stdin.isatty() and console.err.is_terminal


def ask(question: str, *, yes: bool) -> None:
    """Ask a yes-or-no question on the terminal, and return if it is answered with yes; anything else means no.

    Args:
        question: one line that ends with a question mark. Print what the answer leads to before.
        yes: whether it was answered on the command line, by `--yes`: then it is not asked.

    Raises:
        CommandError: the answer is no, or there is no terminal to ask on. Nothing was done.
    """
    if yes:
        return
    if not can_ask():
        raise CommandError(f"{question} There is no terminal to ask on: answer with --yes", ExitStatus.USAGE)
    # asyncio's own handler would only cancel the task, which cannot notice while this waits for a line.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        console.err.print(f"{question} [y/N] ", markup=False, end="")
        answer = _line()
    finally:
        signal.signal(signal.SIGINT, handler)
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was done: the answer was not yes")


def _line() -> str:
    # A signal that arrives just before a read blocks is noticed only when the read returns.
    while not select.select([sys.stdin], [], [], _NOTICED_SECONDS)[0]:
        pass
    return sys.stdin.readline()
