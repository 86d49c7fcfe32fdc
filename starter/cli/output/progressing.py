"""A line of progress on stderr, for people who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from starter.cli.output import console

_SLOW_SECONDS = 1.0


def progress(*columns: ProgressColumn) -> Progress:
    """Show a line of progress on stderr while the block runs, if stderr is a terminal."""
    shown = columns or (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*shown, console=console.err, transient=True, disable=not console.err.is_terminal)


@contextmanager
def progress_when_slow() -> Iterator[Callable[[str], None]]:
    """Yield a function that says what a command does; `progress` shows it once that has lasted for a second.

    It needs a running event loop.
    """
    shown = progress()
    task = shown.add_task("")
    timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, shown.start)
    try:
        yield lambda text: shown.update(task, description=text)
    finally:
        timer.cancel()
        if shown.live.is_started:
            shown.stop()


def shows_progress() -> bool:
    """Return whether `progress` is visible; if not, a long-running command prints lines instead."""
    return console.err.is_terminal
