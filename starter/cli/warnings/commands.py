"""`perdure warnings`: list warnings of usage that is probably wrong, accept them, or withdraw that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import typer

from billing.errors import InputError
from billing.periods import BillingPeriod
from billing.report.canonical import format_instant
from billing.usage.warnings import UsageWarning, WarningExample, WarningKind
from contracts.deciding import DecideWarning
from starter.cli import common, output
from starter.cli.acting.plans import By, Why, decider
from starter.cli.database import open_database
from starter.cli.warnings import gather
from starter.cli.warnings.printing import documents, print_block
from storage.warnings.accepted import AcceptedWarning, accepted_warnings, is_accepted
from temporal.asking import accept_warning, withdraw_warning
from temporal.client import connect

app = typer.Typer(help="Warnings of usage: list, accept, withdraw.", no_args_is_help=True)

_MOST = 1000  # of each kind

_Warned: TypeAlias = tuple[WarningKind, WarningExample]
_COLUMNS: Sequence[output.Column[_Warned]] = (
    output.Column("Subject", lambda each: each[1].subject),
    output.Column("Kind", lambda each: each[0]),
    output.Column("Detail", lambda each: each[1].detail, prose=True),
)
_ACCEPTED: Sequence[output.Column[AcceptedWarning]] = (
    output.Column("Subject", lambda each: each.subject),
    output.Column("Kind", lambda each: each.kind),
    output.Column("Reason", lambda each: each.reason, show="room", prose=True),
    output.Column("By", lambda each: each.accepted_by, show="room"),
    output.instant("At", lambda each: each.accepted_at),
)

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="As the warning prints it, such as runs_long.")]
SubjectArgument = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="As the warning prints it; `*`: every warning of the kind.")
]


@app.command("list")
@common.command
async def list_(
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="The usage of this month only.")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="List the accepted warnings too.")] = False,
    form: common.Form = None,
    as_json: common.AsJson = False,
) -> None:
    """List what is probably wrong with the usage.

    Without --period, all usage until now.
    """
    view = output.view(form, _COLUMNS, as_json=as_json)
    settings = common.settings()
    month = None if period is None else BillingPeriod.parse(period)
    async with open_database(settings) as db:
        with output.progress_when_slow() as say:
            say(f"reading the usage of {month or 'all months'}")
            if month is None:
                found = await gather.of_everything(db, settings, most=_MOST)
            else:
                found = await gather.of_period(db, settings, month, most=_MOST)
        accepted = await accepted_warnings(db) if show_all else []
    if view.is_json:
        output.print_json({"warnings": documents(found)} | ({"accepted": _accepted(accepted)} if show_all else {}))
    else:
        await _print(found, accepted, view)


@app.command("accept")
@common.command
async def accept(
    kind: KindArgument,
    subject: SubjectArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is as it should be.")],
    by: By = None,
    as_json: common.AsJson = False,
) -> None:
    """Accept a warning: it is no longer reported, now or later.

    Accepted again, it has the new name and reason.
    """
    accepted, by = _kind(kind), decider(by)
    if not subject or not reason.strip():
        raise InputError("SUBJECT and --reason must not be empty")
    await accept_warning(await connect(), DecideWarning(kind=accepted, subject=subject, by=by, reason=reason))
    if as_json:
        output.print_json({"kind": kind, "subject": subject, "accepted_by": by, "reason": reason})
    else:
        output.say(f"Accepted: {kind} {subject}. `perdure warnings withdraw` reports it again.")


@app.command("withdraw")
@common.command
async def withdraw(
    kind: KindArgument, subject: SubjectArgument, reason: Why = "", by: By = None, as_json: common.AsJson = False
) -> None:
    """Report an accepted warning again."""
    order = DecideWarning(kind=_kind(kind), subject=subject, by=decider(by), reason=reason)
    async with open_database(common.settings()) as db:
        if not await is_accepted(db, _kind(kind), subject):
            raise InputError(f"{kind} {subject} is not accepted: `perdure warnings list --all` lists those that are")
    await withdraw_warning(await connect(), order)
    if as_json:
        output.print_json({"kind": kind, "subject": subject})
    else:
        output.say(f"Withdrawn: {kind} {subject} is reported again.")


def _kind(text: str) -> WarningKind:
    if text not in list(WarningKind):
        raise InputError(f"{text!r} is not a kind of warning: the kinds are {', '.join(WarningKind)}")
    return WarningKind(text)


def _accepted(accepted: list[AcceptedWarning]) -> list[dict[str, Any]]:
    return [
        {
            "kind": str(each.kind),
            "subject": each.subject,
            "accepted_by": each.accepted_by,
            "reason": each.reason,
            "accepted_at": format_instant(each.accepted_at),
        }
        for each in accepted
    ]


async def _print(found: list[UsageWarning], accepted: list[AcceptedWarning], view: output.View) -> None:
    if view.form is output.Form.TABLE:
        print_block(found)
        if not found:
            output.say("No warnings.")
    else:
        await output.listing(_examples(found), _COLUMNS, view, empty="No warnings.")
    if accepted and view.for_people:
        await output.listing(accepted, _ACCEPTED, view, empty="", title="Accepted")


def _examples(found: list[UsageWarning]) -> list[_Warned]:
    return [(warning.kind, example) for warning in found for example in warning.examples]
