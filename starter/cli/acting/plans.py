"""Whether a person agrees to a plan: asked at the terminal, or said by an option."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from starter.acting.mode import Mode
from starter.acting.plans import Plan
from starter.cli import common, output

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without a question.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; default: the user of this shell.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stored with the decision.")]

_LONGEST_LIST = 20


def decider(by: str | None) -> str:
    """Return who decides: the name given, or the user of this shell."""
    return by or getpass.getuser()


@dataclass(frozen=True)
class ActOptions:
    """How the command was called."""

    yes: bool
    dry_run: bool
    as_json: bool


def agreed(plan: Plan, mode: Mode, asked: ActOptions) -> bool:
    """Return whether to do it: a person at the terminal says yes, or the command line has said so.

    Without a terminal nobody can be asked: then it is done, except in live mode, which needs `--yes`. With `--dry-run`
    the plan is printed, and nothing is done.

    Raises:
        CommandError: the person says no, or it is live mode and there is nobody to ask. Nothing was done.
    """
    if asked.dry_run:
        if asked.as_json:
            output.print_json({"action": plan.action, "mode": str(mode), **plan.document})
        else:
            for line, style in _lines(plan, mode):
                output.say(line, style)
            output.say("Nothing was done: this is a dry run.")
        return False
    if asked.yes:
        return True
    if output.can_ask():
        for line, style in _lines(plan, mode):
            output.remark(line, style)
        output.ask("Do it?", yes=False)
    elif mode is Mode.LIVE:
        raise common.CommandError(
            f"{plan.action} in LIVE mode? There is no terminal to ask on: answer with --yes", common.ExitStatus.USAGE
        )
    return True


def _lines(plan: Plan, mode: Mode) -> Iterator[tuple[str, str]]:
    """Yield the plan's lines, each with its style."""
    yield mode.label, mode.style
    yield plan.action, "bold"
    width = max((len(name) for name, _ in plan.facts), default=0)
    for name, text in plan.facts:
        yield f"  {name:<{width}}  {text}", ""
    for item in plan.items[:_LONGEST_LIST]:
        yield f"  {item}", ""
    if len(plan.items) > _LONGEST_LIST:
        yield f"  and {len(plan.items) - _LONGEST_LIST:,} more", ""
    yield plan.effects, ""
