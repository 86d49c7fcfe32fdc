"""What the Temporal UI shows of a billing period, as Markdown."""

from __future__ import annotations

from billing.money import format_amount
from billing.text import plural
from contracts.messages.periods import PeriodProgress, PeriodResult
from contracts.messages.sources import FetchState, SourceFetch
from workflows.steps import clock, in_utc


def fetching(state: FetchState, period: str) -> str:
    """Say what is fetched before the period is billed, and the way out if a source holds it."""
    waits = f"**Held** by {', '.join(f'`{name}`' for name in state.held)}" if state.held else "Fetching usage"
    upto = f" up to {in_utc(state.cutoff)}" if state.cutoff else ""
    text = f"{waits}, as of {clock()}. Before anything is billed, all usage{upto} is fetched:\n\n{sources_of(state)}"
    if state.held:
        text += (
            "\n\nThe run goes on by itself once they are read. "
            f"`perdure period approve {period} --without-source {state.held[0]}` bills without it."
        )
    return text


def sources_of(state: FetchState) -> str:
    """Say what was fetched and what is awaited, a line for each source."""
    return "\n".join(f"- `{source.name}`: {_of_source(source, state)}" for source in state.sources)


def _of_source(source: SourceFetch, state: FetchState) -> str:
    read = source.read
    if source.state == "due":
        return f"not read before {in_utc(source.ready_at)}: only then it can be complete"
    if source.state == "skipped":
        return "not waited for, by a person's decision: a later run bills what it still reports"
    if source.state == "removed":
        return "no longer in use: `sources.toml` does not name it"
    if read is None:
        missing = " **No answer yet: does a worker serve the queue `sources`?**" if source.name in state.held else ""
        return f"being read since {in_utc(source.ready_at)}.{missing}"
    if read.error is not None:
        since = f" since {in_utc(read.failing_since)}" if read.failing_since else ""
        return f"**fails{since}**: {read.error}. Read again every minute"
    counts = f"{plural(read.rows, 'row')}, {read.new:,} new, {read.stale:,} stale, {read.refused:,} refused"
    upto = f", complete up to {in_utc(read.complete_up_to)}" if read.complete_up_to else ""
    behind = f"; **behind the cutoff {in_utc(state.cutoff)}**" if source.state == "behind" and state.cutoff else ""
    return f"{counts}{upto}{behind}"


def waiting_for(progress: PeriodProgress) -> str:
    """Say which invoices a period waits for."""
    since = f" since {in_utc(progress.oldest_open_since)}" if progress.oldest_open_since else ""
    text = f"Waiting{since} for {plural(progress.open, 'open invoice')}, {progress.blocked:,} blocked."
    if progress.waiting:
        rows = [f"- `{b.subject}` since {b.since:%Y-%m-%d %H:%M UTC}: {b.reason}" for b in progress.waiting[:20]]
        text += "\n\n`perdure invoices show KEY` says what each needs; the run continues by itself:\n" + "\n".join(rows)
    return text


def summary_of(result: PeriodResult, failed: list[str]) -> str:
    """Say how a settled period ended."""
    totals = [
        f"{count:,} {state}"
        + "".join(f", {format_amount(t, c)}" for c, t in sorted(result.progress.totals.get(state, {}).items()))
        for state, count in sorted(result.progress.counts.items())
    ]
    text = f"Settled at {clock()}: {'; '.join(totals) or 'no invoices'}."
    if result.progress.below_minimum:
        text += f" Carried over: {plural(result.progress.below_minimum, 'account')} below the minimum charge."
    if result.progress.blocked_accounts:
        rows = [f"- `{b.subject}`: {b.reason}" for b in result.progress.waiting[:20]]
        text += (
            f"\n\n**{plural(result.progress.blocked_accounts, 'account')} not billed in full**: fix the causes, "
            f"then `perdure period run {result.period}`:\n" + "\n".join(rows)
        )
    return text + ("\n\n**Not finished:** " + "; ".join(failed) if failed else "")
