"""Everything that `perdure status` shows, asked from Postgres and Temporal at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from temporalio.service import RPCError

from settings import Settings
from starter.cli.status.places import places_of, places_of_all
from starter.cli.status.running import RunningState, queues_without_worker, running_state
from starter.cli.status.stored import Scope, StoredState, stored_state
from starter.links import Link
from storage.postgres.database import DatabaseUnavailableError
from storage.waiting.kinds import WaitingKind
from storage.waiting.waiting import WaitingThing, WaitingTotal
from temporal.client import TemporalUnavailableError

POSTGRES, TEMPORAL = "postgresql", "temporal"


@dataclass(frozen=True)
class Overview:
    """What waits and how things are. `away`: why a service could not be asked, by its name; its part is None then.

    `links`: to the console and the Temporal UI; `places`: the pages of what waits, by kind and subject.
    """

    at: datetime
    mode: str | None
    scope: Scope
    stored: StoredState | None
    running: RunningState | None
    away: Mapping[str, str]
    links: Sequence[Link] = ()
    places: Mapping[tuple[WaitingKind, str], Sequence[Link]] = field(default_factory=dict)

    @cached_property
    def waiting(self) -> list[WaitingThing]:
        """What waits, oldest first."""
        return sorted(self._waiting(), key=lambda each: (each.since, each.kind, each.subject))

    @cached_property
    def totals(self) -> list[WaitingTotal]:
        """How much waits of each kind, the kind with the oldest first."""
        stored = list(self.stored.totals) if self.stored else []
        others = [each for each in self.waiting if each.kind not in {total.kind for total in stored}]
        found = [*stored, *(WaitingTotal(each.kind, each.things, each.since, each.amounts) for each in others)]
        merged: dict[str, WaitingTotal] = {}
        for total in sorted(found, key=lambda each: each.since):
            known = merged.get(total.kind)
            merged[total.kind] = total if known is None else _sum(known, total)
        return list(merged.values())

    def _waiting(self) -> Iterator[WaitingThing]:
        if self.stored:
            yield from self.stored.waiting
        if self.running and self.scope.attribution_id is None:
            has_sources = self.stored is not None and self.stored.has_sources
            queues = queues_without_worker(self.running.queues, has_sources=has_sources)
            for each in (*self.running.waiting, *queues):
                if self.scope.period in (None, each.billing_period):
                    yield each


def _sum(one: WaitingTotal, other: WaitingTotal) -> WaitingTotal:
    amounts = dict(one.amounts)
    for currency, amount in other.amounts.items():
        amounts[currency] = amounts.get(currency, 0) + amount
    return WaitingTotal(one.kind, one.things + other.things, min(one.since, other.since), amounts)


async def overview(settings: Settings, scope: Scope, most: int) -> Overview:
    """Ask both services. If one is away, the result says why, and has what the other knows.

    Raises:
        SettingsError: DATABASE_URL is not set.
    """
    away: dict[str, str] = {}
    stored, running = await asyncio.gather(_stored(settings, scope, most, away), _running(away))
    found = Overview(datetime.now(UTC), settings.stripe_mode, scope, stored, running, away, places_of_all(settings))
    stripe_ids = stored.stripe_ids if stored else {}
    places = {
        (each.kind, each.subject): places_of(settings, settings.stripe_mode, each, stripe_ids) for each in found.waiting
    }
    return replace(found, places=places)


async def _stored(settings: Settings, scope: Scope, most: int, away: dict[str, str]) -> StoredState | None:
    try:
        return await stored_state(settings, scope, most)
    except DatabaseUnavailableError as error:
        away[POSTGRES] = str(error)
        return None


async def _running(away: dict[str, str]) -> RunningState | None:
    try:
        return await running_state()
    except TemporalUnavailableError as error:
        away[TEMPORAL] = str(error)
    except RPCError as error:
        away[TEMPORAL] = f"Temporal: {error.message}"
    return None
