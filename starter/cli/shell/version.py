"""`perdure --version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from starter.cli import output


def print_version(wanted: bool) -> None:
    """Print the version of Perdure, of its database schema and of Python, and end the process, if it is wanted."""
    if not wanted:
        return
    from storage.postgres.revision import known_revisions  # it loads the database's client

    output.say(f"perdure {own_version()} (schema {known_revisions()[-1]}, Python {platform.python_version()})")
    raise typer.Exit


def own_version() -> str:
    """Return the version of the installed package, or `unknown` if it is not installed, such as in a checkout."""
    try:
        return version("perdure")
    except PackageNotFoundError:
        return "unknown"
