"""What all commands share: options, one clear line per error, and a safe way to leave the process."""

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
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

from billing.errors import InputError, PerdureError
from billing.usage.parsing import parse_time
from settings import Settings, SettingsError, load
from starter.cli import output

P = ParamSpec("P")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with stable field names.")]


class CommandError(PerdureError):
    """A command cannot do what it was asked for; the message is the one line that says so."""


def command(function: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run an async command; its result is the exit status, none is 0."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(asyncio.run(function(*args, **kwargs)) or 0)

    return run


def settings() -> Settings:
    """This process's settings.

    Raises:
        SettingsError: one is malformed.
    """
    return load()


def parse_instant(text: str | None, option: str) -> datetime | None:
    """The instant that an option gives; None without the option.

    Raises:
        InputError: it is malformed; the message names the option.
    """
    try:
        return None if text is None else parse_time(text)
    except InputError as error:
        raise InputError(f"{option}: {error}") from None


def root_cause(error: BaseException) -> BaseException:
    """The error at the bottom of a chain of causes: what a person needs to read of a failed workflow."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def log_to_stderr(level: str) -> None:
    """Plain log lines for the long-running processes.

    Only what is ours and Temporal's goes below INFO: at DEBUG, SQLAlchemy would write every row it reads, and HTTP
    clients what they send. Stripe's SDK would write two lines for each request at INFO.
    """
    logging.basicConfig(
        level=max(logging.INFO, logging.getLevelName(level)),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in ("perdure", "temporalio"):
        logging.getLogger(name).setLevel(level)
    for name in ("stripe", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def stop_event() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set from now on, where they would end the process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def leave(status: int) -> NoReturn:
    """End the process at once, everything flushed.

    Temporal's client may crash the interpreter while it shuts down (temporalio/sdk-python#300), which would
    turn a success into status 134.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            status = status or 1
    logging.shutdown()
    os._exit(status)


def run_app(app: Callable[[], object]) -> NoReturn:
    """Run the command line and leave; every error of ours is one line on stderr and status 1."""
    status = 0
    try:
        app()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except (PerdureError, SettingsError) as error:
        status = _say_error(str(error))
    except BrokenPipeError:
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:
        status = _unexpected(error)
    leave(status)


def _unexpected(error: BaseException) -> int:
    # Only here, since importing Temporal's client takes longer than most commands.
    from temporalio.service import RPCError

    if isinstance(error, RPCError):
        return _say_error(f"Temporal: {error.message}")
    traceback.print_exception(error)
    return 70


def _say_error(text: str) -> int:
    output.complain(f"perdure: {text}")
    return 1
