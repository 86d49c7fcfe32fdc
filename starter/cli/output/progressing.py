"""A line of progress on stderr, for people who wait."""

from __future__ import annotations

from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from starter.cli.output import console


def progress(*columns: ProgressColumn) -> Progress:
    """Show a line of progress on stderr while the block runs, if stderr is a terminal."""
    shown = columns or (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*shown, console=console.err, transient=True, disable=not console.err.is_terminal)


def shows_progress() -> bool:
    """Return whether `progress` is visible; if not, a long-running command prints lines instead."""
    return console.err.is_terminal
