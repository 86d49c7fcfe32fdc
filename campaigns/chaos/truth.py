"""When and on which terms an instance ran, as its rows say, and where bills disagree with that.

Written from the rules for facts and from docs/facts.md alone, without any of the product's code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from campaigns.chaos.histories import ChaosRow
from campaigns.chaos.instances import ChaosInstance

Piece = tuple[int, int]
Pieces = tuple[Piece, ...]
EVER = 10**18
"""The end, in µs, of an instance that still runs."""

_DEFAULT_CLASS = "default"


@dataclass(frozen=True, order=True)
class RunTerms:
    """Who pays, for which class (never empty) and how many units."""

    payer: str
    workspace_class: str
    quantity: Decimal


@dataclass(frozen=True)
class TrueSegment:
    """A stretch of an instance's runtime on the same terms; `end` is EVER while it runs."""

    start: int
    end: int
    terms: RunTerms


@dataclass
class _TrueRun:
    start: int
    end: int
    rows: list[ChaosRow] = field(default_factory=list)


@lru_cache(maxsize=100_000)
def segments(instance: ChaosInstance, known: tuple[ChaosRow, ...]) -> tuple[TrueSegment, ...]:
    """Return the segments of the instance by these rows. Returns none if it is invalid."""
    if not instance.valid:
        return ()
    runs: list[_TrueRun] = []
    for row in _in_order(known):
        if row.event:
            _take_event(runs, row)
            continue
        stop = EVER if row.stop is None else row.stop
        if runs and (row.start < runs[-1].end or row.start == runs[-1].start):
            runs[-1].start, runs[-1].end = row.start, stop  # the newest row knows the run best
        else:
            runs.append(_TrueRun(row.start, stop))
        runs[-1].rows.append(row)
    found = []
    for number, run in enumerate(runs):
        until = min([run.end, *(later.start for later in runs[number + 1 :])])
        # The first row's terms count from the start of the run, the terms of others from their instants.
        bounds = [run.start, *(max(run.start, row.at or 0) for row in run.rows[1:]), EVER]
        for row, low, high in zip(run.rows, bounds, bounds[1:], strict=False):
            if low < min(high, until):
                terms = RunTerms(row.payer, row.workspace_class or _DEFAULT_CLASS, row.quantity)
                found.append(TrueSegment(low, min(high, until), terms))
    return tuple(found)


def _take_event(runs: list[_TrueRun], row: ChaosRow) -> None:
    """Take what an event reports: a start, or of the last run a stop, a change or a sign. The earliest stop counts.

    What is reported before any start is known has no runtime.
    """
    at = row.at or 0
    if row.event == "started" and (not runs or runs[-1].end <= at):
        runs.append(_TrueRun(at, EVER))
    elif not runs:
        return
    elif row.event == "stopped":
        runs[-1].end = min(runs[-1].end, at)
    if row.event != "alive":  # a sign has no terms
        runs[-1].rows.append(row)


def _in_order(known: Iterable[ChaosRow]) -> list[ChaosRow]:
    """Return the rows by instant, rows without one first; of one instant only the row with the stop counts."""
    by_instant: dict[int, ChaosRow] = {}
    untimed = [row for row in known if row.at is None]
    for row in known:
        if row.at is not None and (row.at not in by_instant or row.stop is not None):
            by_instant[row.at] = row
    return [*untimed, *(row for _, row in sorted(by_instant.items()))]


@dataclass(frozen=True)
class Billed:
    """Time of one instance on an invoice of `account`."""

    account: str
    workspace_class: str
    quantity: Decimal
    pieces: Pieces


def misbilled(billed: Billed, ran: tuple[TrueSegment, ...], windows: Pieces) -> Counter[str]:
    """Return the µs that are billed otherwise than the instance ran, each once, by the first reason that applies."""
    left = list(billed.pieces)
    found: Counter[str] = Counter()
    for reason, wrong in _reasons(billed, ran, windows).items():
        found[reason] = length(common(left, wrong))
        left = without(left, wrong)
    return +found


def audited(billed: Billed, ran: tuple[TrueSegment, ...], windows: Pieces) -> Counter[str]:
    """Return the same by the kinds of the audit's findings. It counts time once for each kind that applies."""
    reasons = _reasons(billed, ran, windows)
    covered = common(billed.pieces, windows)
    return +Counter(
        {
            "claimed_outside_windows": length(common(billed.pieces, reasons["outside_windows"])),
            "claimed_beyond_runtime": length(common(covered, reasons["outside_runtime"])),
            "claimed_for_other_account": length(common(billed.pieces, reasons["other_account"])),
            "wrong_class": length(common(billed.pieces, reasons["other_class"])),
            "wrong_quantity": length(common(billed.pieces, reasons["other_quantity"])),
        }
    )


def _reasons(billed: Billed, ran: tuple[TrueSegment, ...], windows: Pieces) -> dict[str, list[Piece]]:
    """Return all time, billed or not, in which a bill for that account, class and quantity is wrong, by reason."""

    def where(differs: Iterable[TrueSegment]) -> list[Piece]:
        return [(each.start, each.end) for each in differs]

    always = [(-EVER, EVER)]
    return {
        "outside_windows": without(always, windows),
        "outside_runtime": without(always, where(ran)),
        "other_account": where(each for each in ran if each.terms.payer != billed.account),
        "other_class": where(each for each in ran if each.terms.workspace_class != billed.workspace_class),
        "other_quantity": where(each for each in ran if each.terms.quantity != billed.quantity),
    }


def without(pieces: Iterable[Piece], gone: Iterable[Piece]) -> list[Piece]:
    """Return the pieces, sorted, without the time that is gone."""
    left = list(pieces)
    for gone_from, gone_to in gone:
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, gone_from)), (max(low, gone_to), high))
            if piece[0] < piece[1]
        ]
    return sorted(left)


def common(pieces: Iterable[Piece], others: Iterable[Piece]) -> list[Piece]:
    """Return what the pieces have in common with the others, which do not overlap each other."""
    others = list(others)
    found = [(max(low, other[0]), min(high, other[1])) for low, high in pieces for other in others]
    return sorted(piece for piece in found if piece[0] < piece[1])


def length(pieces: Iterable[Piece]) -> int:
    """Return the total of pieces that do not overlap."""
    return sum(high - low for low, high in pieces)


def merged(pieces: Iterable[Piece]) -> Pieces:
    """Return the pieces sorted, with adjacent and overlapping ones merged."""
    result: list[Piece] = []
    for low, high in sorted(pieces):
        if result and result[-1][1] >= low:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)
