"""Folding what is known about instances, and writing their columns and segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.facts import COLUMNS, Value
from billing.usage.fold import FaultyRun, Folded, Segment, Terms, terms_of
from storage.postgres.statements import statement

_NONE: frozenset[Segment | FaultyRun] = frozenset()


@dataclass(frozen=True)
class KnownInstance:
    """An instance as it is stored. `last_sign` is None without facts; `runs` is empty if its columns say it all.

    `runs`: its segments and its faulty runs.
    """

    state: Mapping[str, Value]
    last_sign: datetime | None
    runs: frozenset[Segment | FaultyRun]

    @property
    def earlier_runs(self) -> list[Segment | FaultyRun]:
        """All but the last run, whose times are in the columns."""
        return [each for each in self.runs if each.start != self.state["started_time"]]

    def given_to(self, account: str | None) -> KnownInstance:
        """Return it with this account where it has none, if none is known for its last run."""
        if self.state["attribution_id"] or not account:
            return self
        runs = (each if each.terms.attribution_id else _paid_by(each, account) for each in self.runs)
        return replace(self, state={**self.state, "attribution_id": account}, runs=frozenset(runs))

    @property
    def payers(self) -> set[str]:
        """The accounts that it belongs to or has belonged to."""
        return _payers(self.state, self.runs)


async def known_instances(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, KnownInstance]:
    """Return those of the instances that are known, by id."""
    given = {"ids": list(ids)}
    rows = (await connection.execute(statement("usage/folding", "known"), given)).all()
    found = await connection.execute(statement("usage/folding", "segments"), given)
    runs = {key: frozenset(map(_run, group)) for key, group in groupby(found.all(), attrgetter("instance_id"))}
    return {
        row.id: KnownInstance({name: getattr(row, name) for name in COLUMNS}, row.last_sign, runs.get(row.id, _NONE))
        for row in rows
    }


async def write_folded(
    connection: AsyncConnection,
    folded: Mapping[str, Folded],
    known: Mapping[str, KnownInstance],
    *,
    timed: bool,
) -> list[str]:
    """Write instances as they were folded. Returns those that were known otherwise.

    Args:
        folded: instances by id.
        known: those of them that are stored, as `known_instances` returns them.
        timed: whether their facts have times; if not, they have no last sign.
    """
    states = {name: [each.state[name] for each in folded.values()] for name in COLUMNS}
    await connection.execute(
        statement("usage/folding", "write_folded"),
        {
            **states,
            "quantity": [terms_of(each.state).quantity for each in folded.values()],
            "ids": list(folded),
            "last_sign": [each.last_sign if timed else None for each in folded.values()],
            "last_source": [each.last_source if timed else None for each in folded.values()],
            "segmented": [not each.is_plain for each in folded.values()],
        },
    )
    # Only what differs: an instance that changes each hour has thousands of segments.
    before = {key: known[key].runs if key in known else _NONE for key in folded}
    runs = {key: _runs(each) for key, each in folded.items()}
    gone = [(key, run) for key in folded for run in before[key] - runs[key]]
    added = [(key, run) for key in folded for run in runs[key] - before[key]]
    for name, rows in (("drop_segments", gone), ("write_segments", added)):
        if rows:
            await connection.execute(statement("usage/folding", name), _columns(rows))
    await _note_payers(connection, folded, runs, known)
    return [
        key for key, each in folded.items() if key in known and (runs[key] != before[key] or _differs(each, known[key]))
    ]


def _runs(folded: Folded) -> frozenset[Segment | FaultyRun]:
    """Return the runs that are stored: none if the columns say it all."""
    return _NONE if folded.is_plain else frozenset((*folded.segments, *folded.faulty))


def _columns(rows: Sequence[tuple[str, Segment | FaultyRun]]) -> dict[str, list[Any]]:
    return {
        "instance_ids": [key for key, _ in rows],
        "faulty": [isinstance(run, FaultyRun) for _, run in rows],
        "since": [run.start for _, run in rows],
        "until": [run.end for _, run in rows],
        "accounts": [run.terms.attribution_id for _, run in rows],
        "classes": [run.terms.workspace_class for _, run in rows],
        "quantities": [run.terms.quantity for _, run in rows],
    }


async def _note_payers(
    connection: AsyncConnection,
    folded: Mapping[str, Folded],
    runs: Mapping[str, frozenset[Segment | FaultyRun]],
    known: Mapping[str, KnownInstance],
) -> None:
    """Note every account of the instances that have, or have had, more than one."""
    pairs = []
    for key, each in folded.items():
        payers = _payers(each.state, runs[key]) | (known[key].payers if key in known else set())
        if len(payers) > 1:
            pairs += [(payer, key) for payer in sorted(payers)]
    if pairs:
        await connection.execute(
            statement("usage/folding", "add_payers"),
            {"accounts": [payer for payer, _ in pairs], "instance_ids": [key for _, key in pairs]},
        )


def _paid_by(run: Segment | FaultyRun, account: str) -> Segment | FaultyRun:
    return replace(run, terms=run.terms._replace(attribution_id=account))


def _payers(state: Mapping[str, Value], runs: Iterable[Segment | FaultyRun]) -> set[str]:
    named = {terms_of(state).attribution_id, *(each.terms.attribution_id for each in runs)}
    return {payer for payer in named if payer}


def _differs(folded: Folded, known: KnownInstance) -> bool:
    return any(folded.state[name] != known.state[name] for name in COLUMNS)


def _run(row: Row[Any]) -> Segment | FaultyRun:
    terms = Terms(row.attribution_id, row.workspace_class, row.quantity)
    return FaultyRun(row.start, row.end, terms) if row.is_faulty else Segment(row.start, row.end, terms)
