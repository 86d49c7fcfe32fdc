"""Warnings in words, and what a person can do about them. docs/warnings.md explains each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from billing.money import format_amount
from billing.text import plural, utc
from billing.usage.warnings import NO_FILE, WarningExample, WarningKind
from starter.cli import output
from storage.usage.results import Doubt
from storage.warnings.periods import MULTIPLE, LateUsage, SteepAmount
from storage.warnings.usage import OverlappingRuns, SuspectSubject

WHAT_TO_DO: Mapping[WarningKind, str] = {
    WarningKind.EMPTY_IMPORT: "check the export",
    WarningKind.NOTHING_ARRIVED: "check that usage is still exported and imported",
    WarningKind.LATE_USAGE: "nothing, if that run may bill it",
    WarningKind.ABOVE_PREVIOUS: "check the account's usage before it is billed",
    WarningKind.OVERLAPPING: "if one is a copy of the other, correct it",
    WarningKind.RUNS_LONG: "if it has stopped, import its stop",
    WarningKind.ABSENT: "if it has stopped, import its stop",
    WarningKind.UNKNOWN_CLASS: "add it to the rate card, or correct the class",
    WarningKind.UNKNOWN_ACCOUNT: "import the account, or correct the id",
    WarningKind.MALFORMED_ID: "correct the id: no account can have it",
    WarningKind.STARTS_BEFORE_CREATION: "correct the times: it is not billed",
    WarningKind.DIFFERING_FACTS: "check the source: only one can be right",
}


def suspect_example(found: SuspectSubject) -> WarningExample:
    """Return the example of a suspect subject of an import or a period."""
    if found.kind == WarningKind.RUNS_LONG:
        detail = f"runs since {_instant(found.since)} without a stop"
    elif found.kind == WarningKind.ABSENT:
        detail = f"runs without a stop; its source had it last at {_instant(found.since)}"
    elif found.kind == WarningKind.STARTS_BEFORE_CREATION:
        detail = f"starts at {_instant(found.since)}, more than a day before its creation"
    else:
        such = "" if found.instances == 1 else "such as "
        detail = f"{plural(found.instances, 'instance')}, {such}{found.instance_id}"
    return WarningExample(found.subject, detail, found.line)


def overlap_example(found: OverlappingRuns) -> WarningExample:
    """Return the example of a workspace whose instances overlap."""
    both = f"{found.other} and {found.instance_id}"
    return WarningExample(found.subject, f"{both} run at once from {utc(found.since)} to {utc(found.until)}")


def steep_example(found: SteepAmount, name: str | None) -> WarningExample:
    """Return the example of an account far above its period before. `name`: the account's, if it is known."""
    of = f"{name}: " if name else ""
    amount, previous = (format_amount(each, found.currency) for each in (found.amount, found.previous_amount))
    return WarningExample(
        found.subject, f"{of}{amount} is more than {MULTIPLE} times the {previous} of {found.previous_period}"
    )


def late_example(period: str, late: LateUsage, billed_by: str, worth: Mapping[str, int]) -> WarningExample:
    """Return the example of a period's late usage; the run of the period `billed_by` bills it.

    `worth`: the amount by currency; empty if it is not known.
    """
    amounts = "".join(f", {format_amount(amount, currency)}" for currency, amount in sorted(worth.items()))
    figures = f"{output.hours(late.duration_us)}{amounts}"
    usage = [f"{plural(late.instances, 'instance')} ({figures})"] if late.instances else []
    if late.left_accounts:
        usage.append(
            f"{output.hours(late.left_us)} of {plural(late.left_accounts, 'account')} below the minimum or blocked"
        )
    return WarningExample(
        period, f"{' and '.join(usage)} arrived after this period was billed; the run of {billed_by} bills that"
    )


def nothing_example(period: str, last: datetime) -> WarningExample:
    """Return the example of a period without usage, while the latest known instant is `last`."""
    return WarningExample(period, f"no usage has arrived; the latest is of {utc(last)}")


def empty_example(files: Sequence[str]) -> WarningExample:
    """Return the example of files without rows."""
    if not files:
        return WarningExample(NO_FILE, "there are no files to import")
    return WarningExample(
        files[0], "the file has no rows" if len(files) == 1 else f"none of {len(files)} files has rows"
    )


def doubt_example(doubt: Doubt) -> WarningExample:
    """Return the example of an instance about which facts differ."""
    return WarningExample(doubt.instance_id, doubt.reason)


def _instant(at: datetime | None) -> str:
    return "an unknown time" if at is None else utc(at)
