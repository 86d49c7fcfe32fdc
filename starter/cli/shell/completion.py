"""`perdure completion`: scripts with which a shell completes commands, options and their values."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any

import typer
import typer.completion

VARIABLE = "_PERDURE_COMPLETE"
"""Set by the scripts: `perdure` then answers what completes the line, and runs nothing."""


class Shell(StrEnum):
    """A shell that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")]
) -> None:
    """Print a shell's completion script.

    bash: `perdure completion bash > ~/.local/share/bash-completion/completions/perdure`. zsh: write it to a file
    `_perdure` in a folder of `$fpath`. fish: `perdure completion fish > ~/.config/fish/completions/perdure.fish`.
    """
    _prepare()
    app = context.find_root().command
    raise typer.Exit(typer.completion.shell_complete(app, {}, "perdure", VARIABLE, f"source_{shell}"))


def prepare(app: Any) -> None:
    """Make the app answer a shell that completes a line, if one asks; else nothing is loaded."""
    if os.environ.get(VARIABLE):
        _prepare()
        app.main(prog_name="perdure", complete_var=VARIABLE)


def _prepare() -> None:
    """Have Typer register its shells, which it does when it is asked for the parameters of its own options."""
    typer.completion.get_completion_inspect_parameters()
