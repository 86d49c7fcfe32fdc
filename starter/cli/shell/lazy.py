"""Commands imported when they run, so that `perdure --help` is fast and a process loads only what it needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from starter.cli.shell.examples import epilog
from starter.cli.shell.groups import MEMBERS

_HELP = ("-h", "--help")


def _add_examples(command: Any, path: str) -> None:
    """End the help of a command, or of each command of a group, with its examples."""
    command.epilog = epilog(path) or None
    for name, each in getattr(command, "commands", {}).items():
        _add_examples(each, f"{path} {name}")


class LazyCommand(TyperCommand):
    """Stands in for a command or a group in the parent's help, and loads it when it is called.

    Args:
        name: the command's name, as typed.
        where: `module:attribute` of the command's function, or of the group's `typer.Typer`.
        summary: the first sentence of the command's own help.
    """

    def __init__(self, name: str, where: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._name = name
        self._module, _, self._attribute = where.partition(":")

    def load(self) -> Any:
        """Import the command and return it."""
        found = getattr(import_module(self._module), self._attribute)
        parent = typer.Typer(rich_markup_mode=None, add_completion=False)
        if isinstance(found, typer.Typer):
            parent.add_typer(found, name=self._name)
        else:
            parent.command(self._name)(found)
        command = typer.main.get_group(parent).commands[self._name]
        _add_examples(command, self._name)
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command that this one stands for; for its help alone, of its `outline`."""
        wants_help = not args or args[0] in _HELP
        command = self.outline() if wants_help and self._name in MEMBERS else self.load()
        return command.make_context(info_name, args, parent, **extra)

    def outline(self) -> Any:
        """Return a group that has the help of this one, and whose commands do nothing."""
        members = MEMBERS[self._name]
        commands: dict[str, Any] = {name: TyperCommand(name, help=summary) for name, summary in members.items()}
        return TyperGroup(
            name=self._name, commands=commands, help=self.help, no_args_is_help=True, rich_markup_mode=None
        )
