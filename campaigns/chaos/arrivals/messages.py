"""What a product reports about instances: rows of its table, and requests to the API."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns.chaos.histories import CORRECTIONS, EPOCH, ChaosRow
from campaigns.chaos.instances import ChaosInstance
from campaigns.chaos.world import ChaosWorld

Reported = tuple[ChaosInstance, ChaosRow]
SENDER, SHOP = "crm", "shop"
"""The name of the token, which is the source of rows, and the source of events."""
_MOST_GROUPS = 4
_EVENTS, _ROWS = "/v1/events", "/v1/instances"
_BATCHED = "application/cloudevents-batch+json"


@dataclass(frozen=True)
class ApiRequest:
    """A request to the API. All of its items are good, but for the last `refused` ones."""

    path: str
    media: str
    body: Any
    items: int
    refused: int


def columns(instance: ChaosInstance, row: ChaosRow) -> dict[str, Any]:
    """Return the row as it is in the product's table."""
    stopped = None if row.stop is None else row.stop + 7
    stopping, stopped = ((row.stop, stopped), (row.stop, None), (None, row.stop))[row.shape]
    return {
        "id": instance.id,
        "attribution_id": row.payer,
        "workspace_id": f"w-{instance.id}",
        "project_id": "p",
        "owner_id": "user:u",
        "workspace_class": row.workspace_class or None,
        "workspace_type": "regular",
        "creation_time": instant(instance.created),
        "started_time": instant(row.start),
        "stopping_time": instant(stopping),
        "stopped_time": instant(stopped),
        "quantity": None if row.quantity == 1 and row.shape == 0 else row.quantity,
        "updated_at": instant(row.at),
    }


def instant(at: int | None) -> datetime | None:
    """Return the instant of µs since 1970."""
    return None if at is None else EPOCH + timedelta(microseconds=at)


def reported_together(world: ChaosWorld, wave: int, ways: Sequence[str]) -> list[list[Reported]]:
    """Return the rows of a wave that these ways report. Those of accounts that share instances arrive together."""
    groups = [[each for account in group for each in account.instances] for group in world.groups]
    of_wave = [
        [(each, row) for each in group if each.way in ways for row in each.rows if row.wave == wave]
        for group in (*groups, world.strangers)
    ]
    return [reported for reported in of_wave if reported]


def requests(world: ChaosWorld, wave: int, rng: random.Random) -> list[ApiRequest]:
    """Return the requests that report a wave, in a random order. Some have an item that must be refused, too."""
    if wave in CORRECTIONS:
        groups = reported_together(world, wave, ("query", "rows", "events"))
        return [_rows([each], rng, correct=True) for each in _mixed(groups, rng)]
    made = [_rows(each, rng) for each in _several(reported_together(world, wave, ("rows",)), rng)]
    made += [_events(each, rng) for each in _several(reported_together(world, wave, ("events",)), rng)]
    return _mixed(made, rng)


def _several(groups: list[list[Reported]], rng: random.Random) -> Iterable[list[list[Reported]]]:
    left = _mixed(groups, rng)
    while left:
        count = rng.randint(1, _MOST_GROUPS)
        yield left[:count]
        left = left[count:]


def _mixed(given: list[Any], rng: random.Random) -> list[Any]:
    return rng.sample(given, len(given))


def _rows(groups: list[list[Reported]], rng: random.Random, *, correct: bool = False) -> ApiRequest:
    items = [_plain(columns(*reported)) for group in groups for reported in _mixed(group, rng)]
    bad: list[dict[str, Any]] = [{"id": "bad", "started_time": "2024-01-01T00:00:00Z"}] if rng.random() < 0.3 else []
    body = {"instances": items + bad, **({"correct": True} if correct else {})}
    return ApiRequest(_ROWS, "application/json", body, len(items), len(bad))


def _events(groups: list[list[Reported]], rng: random.Random) -> ApiRequest:
    items = [_event(*reported) for group in groups for reported in _mixed(group, rng)]
    bad = [{**items[0], "id": "bad", "time": "1970-01-01T00:00:00Z"}] if rng.random() < 0.3 else []
    return ApiRequest(_EVENTS, _BATCHED, items + bad, len(items), len(bad))


def _event(instance: ChaosInstance, row: ChaosRow) -> dict[str, Any]:
    reported = _plain(columns(instance, row))
    event = {
        "specversion": "1.0",
        "id": f"{instance.id}/{row.at}",
        "source": SHOP,
        "type": f"instance.{row.event}",
        "subject": instance.id,
        "time": reported["updated_at"],
    }
    if row.event == "alive" or (row.event == "stopped" and row.shape == 0):
        return event
    hidden = ("id", "started_time", "stopping_time", "stopped_time", "updated_at")
    return {**event, "data": {name: value for name, value in reported.items() if name not in hidden}}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
