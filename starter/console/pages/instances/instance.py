"""One instance: every moment of its runtime, with its fate and the rule behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.periods import BillingPeriod
from starter.console.frame import page
from starter.console.pages.unknown import unknown
from starter.console.plots.plot import Plot, drawn
from starter.console.plots.timeline import TimelineStretch, timeline
from starter.console.rate_cards import rate_card
from starter.console.services import ConsoleServices, services
from starter.words.fates import FATES, INVALID, why
from starter.words.next_run import run_of, runs
from storage.invoices import credit_notes
from storage.invoices.credit_notes import CreditNoteRecord
from storage.lookup.naming import names_of
from storage.usage.explain import ExplainedInterval, Explanation, explain_instance

routes = web.RouteTableDef()

_MOST_INTERVALS = 500
TONES: Mapping[str, str] = {
    "billed": "good",
    "open": "going",
    "unbilled": "note",
    "written_off": "bad",
    "invalid": "bad",
}
"""How a fate looks; every other one is quiet: usage that is not charged."""


@dataclass(frozen=True)
class IntervalShown:
    """An interval with its rule in words. `number` counts from 1."""

    number: int
    each: ExplainedInterval
    rule: str

    @property
    def tone(self) -> str:
        """How its fate looks."""
        return TONES.get(self.each.fate, "quiet")


@dataclass(frozen=True)
class FateSum:
    """How much of the runtime has a fate; `words` say what that means."""

    fate: str
    words: str
    duration_us: int

    @property
    def tone(self) -> str:
        """How the fate looks."""
        return TONES.get(self.fate, "quiet")


@dataclass(frozen=True)
class InstanceView:
    """What the page shows. `left_out`: how many intervals are more than the page can hold; the sums count them."""

    found: Explanation
    name: str
    now: datetime
    invalid: str
    plot: Plot
    intervals: Sequence[IntervalShown]
    left_out: int
    beyond: Sequence[IntervalShown]
    sums: Sequence[FateSum]
    faults: Sequence[tuple[datetime | None, datetime, str]]
    notes: Sequence[CreditNoteRecord]


@routes.get("/instances/{id:.+}")
async def instance(request: web.Request) -> web.Response:
    """Explain one instance."""
    own, id = services(request), request.match_info["id"]
    now = datetime.now(UTC)
    found = None if "\0" in id else await _explained(own, id, now)
    if found is None:
        return await unknown(request, "instance", id)
    return page(request, "pages/instance.html", f"Instance {id}", await _view(own, found, now))


async def _explained(own: ConsoleServices, id: str, now: datetime) -> Explanation | None:
    settings = own.settings
    return await explain_instance(
        own.db,
        id,
        now=now,
        bill_after=settings.bill_after,
        rate_card=await rate_card(own),
        charge_on=settings.charge_on,
        silence=silence_of(settings),
        charged_kinds=charged_kinds_of(settings),
    )


async def _view(own: ConsoleServices, found: Explanation, now: datetime) -> InstanceView:
    ids = sorted({each.on.invoice_id for each in (*found.intervals, *found.beyond_runtime) if each.on})
    notes = [note for group in (await credit_notes.credit_notes_of(own.db, ids)).values() for note in group]
    names = await names_of(own.db, [found.attribution_id] if found.attribution_id else [])
    return InstanceView(
        found=found,
        name=names.get(found.attribution_id or "", ""),
        now=now,
        invalid=INVALID[found.invalid] if found.invalid else "",
        plot=await drawn(timeline, "Its runtime, coloured by fate", _stretches(found)),
        intervals=_shown(own, found, found.intervals[:_MOST_INTERVALS]),
        left_out=max(0, len(found.intervals) - _MOST_INTERVALS),
        beyond=_shown(own, found, found.beyond_runtime[:_MOST_INTERVALS]),
        sums=_sums(own, found),
        faults=[(run.start, run.end, INVALID[run.reason]) for run in found.faulty_runs],
        notes=[note for note in notes if note.instance_id in (None, found.instance_id)],
    )


def _shown(own: ConsoleServices, found: Explanation, intervals: Sequence[ExplainedInterval]) -> list[IntervalShown]:
    zone = own.settings.zone
    shown = []
    for number, each in enumerate(intervals, 1):
        start = None
        if each.on is not None:
            start = each.on.service_start or BillingPeriod.parse(each.on.billing_period).start(zone)
        shown.append(IntervalShown(number, each, why(found, each, start, zone)))
    return shown


def _stretches(found: Explanation) -> tuple[TimelineStretch, ...]:
    """Return the intervals as stretches; what follows a stretch of the same fate at once is drawn as one with it."""
    joined: list[TimelineStretch] = []
    for each in found.intervals:
        before = joined[-1] if joined else None
        if before is not None and (before.fate, before.end) == (each.fate, each.start):
            joined[-1] = replace(before, end=each.end)
        else:
            joined.append(TimelineStretch(each.start, each.end, each.fate, FATES[each.fate]))
    return tuple(joined)


def _sums(own: ConsoleServices, found: Explanation) -> list[FateSum]:
    """Return the runtime by fate, and by the run that bills what is not billed yet; they add up to the runtime."""
    sums: dict[tuple[str, str], int] = {}
    for each in found.intervals:
        words = FATES[each.fate]
        if run := run_of(found, each, own.settings.zone):
            words += f": the {runs(run, each.end)}"
        sums[each.fate, words] = sums.get((each.fate, words), 0) + each.duration_us
    return [FateSum(fate, words, duration_us) for (fate, words), duration_us in sums.items()]
