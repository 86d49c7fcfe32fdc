"""What the Temporal UI shows about a source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.sources import SourceRead
    from workflows.steps import clock, in_utc, show


def show_reading(name: str, last: SourceRead | None, asked_by: Sequence[str]) -> None:
    """Show that a read runs, for whom, and what the last one found."""
    who = ", ".join(dict.fromkeys(by for by in asked_by if by))
    show(f"Reading **{name}** since {clock()}{f', for {who}' if who else ''}.\n\n{_result(name, last)}")


def show_waiting(name: str, last: SourceRead | None, due: datetime) -> None:
    """Show what the last read found, and when the next one is due."""
    show(f"{_result(name, last)}\n\nNext read: {in_utc(due)}, or `perdure sources sync {name}`.")


def _result(name: str, last: SourceRead | None) -> str:
    if last is None:
        return "Not read yet."
    complete = f"Complete up to **{in_utc(last.complete_up_to)}**." if last.complete_up_to else "Not complete yet."
    if last.error is not None:
        since = in_utc(last.failing_since or last.started_at)
        return (
            f"**Failing** since {since}; last attempt {in_utc(last.started_at)}: {last.error}\n\n{complete} "
            f"`perdure sources check {name}` tries it without storing anything."
        )
    read = (
        f"{complete} The last read, {in_utc(last.started_at)}, had {plural(last.rows, 'row')}: {last.new:,} new, "
        f"{last.stale:,} stale, {last.refused:,} refused."
    )
    parts = [read]
    if last.refused:
        parts.append(f"`perdure sources list {name}` shows what is refused and why.")
    if last.misbilled:
        parts.append(f"{plural(last.misbilled, 'instance')} billed otherwise than they ran: `perdure audit`.")
    parts += [f"- {note}" for note in last.notes]
    return "\n\n".join(parts)
