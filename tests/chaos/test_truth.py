"""The campaigns' reference for facts and the product's fold share no code, and agree on random histories."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from billing.usage.facts import Fact, FactKind, Value, fact
from billing.usage.fold import fold
from campaigns.chaos.histories import EPOCH, ChaosRow
from campaigns.chaos.truth import EVER, RunTerms, TrueSegment, segments
from campaigns.chaos.world import ARRIVALS, Arrival, make_world, micros

_REPORTED = ("attribution_id", "workspace_class", "quantity")


def _fact(row: ChaosRow) -> Fact:
    assert row.at is not None
    values: dict[str, Value] = {
        "attribution_id": row.payer,
        "workspace_class": row.workspace_class or None,
        "quantity": row.quantity,
        "started_time": EPOCH + timedelta(microseconds=row.start),
        "stopping_time": None if row.stop is None else EPOCH + timedelta(microseconds=row.stop),
        "stopped_time": None,
    }
    if row.event:
        values = {} if row.event == "alive" else {name: values[name] for name in _REPORTED}
    kind = FactKind(row.event or "row")
    return fact(EPOCH + timedelta(microseconds=row.at), "file", kind, values)


def _joined(found: tuple[TrueSegment, ...]) -> list[TrueSegment]:
    joined: list[TrueSegment] = []
    for each in found:
        if joined and joined[-1].end == each.start and joined[-1].terms == each.terms:
            joined[-1] = TrueSegment(joined[-1].start, each.end, each.terms)
        else:
            joined.append(each)
    return joined


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("seed", range(5))
def test_reference_and_fold_agree_on_random_histories(seed: int, arrival: Arrival) -> None:
    rng = random.Random(seed)
    compared = 0
    for instance in make_world(seed, 100, arrival).instances:
        rows = [row for row in instance.rows if row.at is not None and rng.random() < 0.8]
        if not rows or not instance.valid:
            continue
        arrived = tuple(
            TrueSegment(
                micros(each.start),
                EVER if each.end is None else micros(each.end),
                RunTerms(each.terms.attribution_id or "", each.terms.workspace_class or "default", each.terms.quantity),
            )
            for each in fold(_fact(row) for row in rng.sample(rows, len(rows))).segments
        )
        assert _joined(segments(instance, tuple(rows))) == _joined(arrived), instance
        compared += 1
    assert compared > 50
