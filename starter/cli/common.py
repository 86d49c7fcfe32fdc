"""What all commands share: options, one-line errors, and a safe way to end the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec

import typer

from billing.errors import InputError, PerdureError
from billing.usage.times import parse_time
from starter.cli import output
from starter.cli.exits import CommandError as CommandError
from starter.cli.exits import ExitStatus as ExitStatus
from starter.cli.exits import status_of

if TYPE_CHECKING:
    from settings import Settings

P = ParamSpec("P")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable field names.")]
Strict = Annotated[bool, typer.Option("--strict", help="Make the exit status 3 if there are warnings.")]
Form = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="|".join((*output.Form, "FILE")), help="How to print the list. FILE: .csv or .xlsx."
    ),
]
Sort = Annotated[str | None, typer.Option(metavar="COLUMN", help="Sort by a column; -COLUMN: largest first.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Print at most N rows.")]


def command(function: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run an async command; its result is the exit status, and None means 0."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(asyncio.run(function(*args, **kwargs)) or 0)

    return run


def settings() -> Settings:
    """Load this process's settings.

    Raises:
        SettingsError: a setting is malformed.
    """
    from settings import load  # reading settings takes longer to import than `perdure --help` takes to run

    return load()


def parse_instant(text: str | None, option: str) -> datetime | None:
    """Parse an option's value as an instant. Returns None if the option was not given.

    Raises:
        InputError: the value is malformed; the message names the option.
    """
    try:
        return None if text is None else parse_time(text)
    except InputError as error:
        raise InputError(f"{option}: {error}") from None


def root_cause(error: BaseException) -> BaseException:
    """Return the error at the bottom of a chain of causes, which explains a failed workflow to a person."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def log_to_stderr(given: Settings, *, temporal: bool = False) -> None:
    """Write the log of a long-running process to stderr; `temporal`: with the fields of Temporal's SDK."""
    if temporal:
        from starter.logs.temporal import log_to_stderr as set_up
    else:
        from starter.logs.setup import log_to_stderr as set_up
    set_up(given)


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set from now on, instead of ending the process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def leave(status: int) -> NoReturn:
    """Flush all output and end the process immediately.

    Temporal's client can crash the interpreter during shutdown (temporalio/sdk-python#300), which would turn a
    success into status 134.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            status = status or 1
    logging.shutdown()
    os._exit(status)


def run_app(app: Callable[[], object]) -> NoReturn:
    """Run the command line and end the process; each of our errors is one line on stderr."""
    status = 0
    try:
        app()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except PerdureError as error:
        status = _say_error(str(error), status_of(error))
    except BrokenPipeError:
        status = ExitStatus.FAILED
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
    except BaseException as error:
        status = _unexpected(error)
    leave(status)


def _unexpected(error: BaseException) -> int:
    # Imported only here: these take longer to import than most commands to run, and who raises them has them already.
    from settings_sources import SettingsError

    if isinstance(error, SettingsError):
        return _say_error(str(error), ExitStatus.USAGE)
    from temporalio.service import RPCError, RPCStatusCode

    if isinstance(error, RPCError):
        away = error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
        return _say_error(f"Temporal: {error.message}", ExitStatus.UNAVAILABLE if away else ExitStatus.FAILED)
    if logging.root.handlers:
        logging.getLogger("perdure").critical("unexpected error", exc_info=error)
    else:
        traceback.print_exception(error)
    return ExitStatus.BUG


def _say_error(text: str, status: ExitStatus) -> ExitStatus:
    if logging.root.handlers:  # a process with a log ends with a line of it
        logging.getLogger("perdure").error("%s", text)
    else:
        output.complain(f"perdure: {text}")
    return status
