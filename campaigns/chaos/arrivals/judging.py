"""Whether all that was committed or accepted is known, once, and nothing that had to be refused."""

from __future__ import annotations

from collections import Counter

from campaigns.chaos.arrivals.messages import SENDER, SHOP
from campaigns.chaos.arrivals.product import SOURCE, ProductSide
from campaigns.chaos.books import fetch
from campaigns.chaos.histories import CORRECTIONS
from campaigns.chaos.stand.stand import Stand
from campaigns.chaos.world import ChaosWorld, micros

FactKey = tuple[str, int, str, str]
"""Instance, instant, kind and source of a fact."""
_MOST = 10


async def judge_arrivals(stand: Stand, world: ChaosWorld) -> list[str]:
    """Compare the facts, the faults and the sources in Postgres with what was reported."""
    assert stand.live is not None
    product = ProductSide(stand.live.product.url(), world)
    url = stand.postgres.url()
    failures = _facts(await _known(url), _reported(world, product))
    if waiting := await fetch(url, "SELECT source, instance_id, kind FROM pending_fact"):
        failures.append(f"not folded: {waiting[:_MOST]}")
    faults = {(row[0], row[1]) for row in await fetch(url, "SELECT source, subject FROM source_fault")}
    expected = {(SOURCE, subject) for subject in product.refused()}
    if faults != expected:
        failures.append(f"refused rows: listed {sorted(faults)}, expected {sorted(expected)}")
    states = "SELECT name, error, complete_up_to, removed_at FROM source"
    for name, error, complete_up_to, removed_at in await fetch(url, states):
        if error is not None or removed_at is not None:
            failures.append(f"source {name}: {error}, removed at {removed_at}")
        elif complete_up_to is None or micros(complete_up_to) < world.following_end:
            failures.append(f"source {name} is complete up to {complete_up_to} only")
    return failures


async def _known(url: str) -> Counter[FactKey]:
    rows = await fetch(url, "SELECT instance_id, at, kind, source FROM usage_fact")
    return Counter((instance, micros(at), kind, source) for instance, at, kind, source in rows)


def _reported(world: ChaosWorld, product: ProductSide) -> Counter[FactKey]:
    reported: Counter[FactKey] = Counter()
    for each in world.instances:
        for row in each.rows:
            sent = f"api:{SENDER}" if each.way == "rows" or row.wave in CORRECTIONS else SOURCE
            reported[each.id, row.at or 0, row.event or "row", SHOP if row.event else sent] += 1
    for subject, at in product.corrected():
        reported[subject, at, "row", SOURCE] += 1
    return reported


def _facts(known: Counter[FactKey], reported: Counter[FactKey]) -> list[str]:
    """Compare facts. Of signs of life one has to be there, the latest unless a correction has replaced that."""
    replaced = {key[0] for key in reported if key[2] == "row"}
    signs: dict[str, FactKey] = {}
    for key in reported:
        if key[2] == "alive":
            signs[key[0]] = max(key, signs.get(key[0], key))
    kept = Counter({key: count for key, count in reported.items() if key[2] != "alive" or signs[key[0]] == key})
    lost = [key for key in kept - known if key[2] != "alive" or key[0] not in replaced]
    extra = [key for key in known - kept if key[2] != "alive" or key not in reported or key[0] not in replaced]
    failures = [f"reported, but not known: {sorted(lost)[:_MOST]}"] if lost else []
    return failures + ([f"known, but not reported, or twice: {sorted(extra)[:_MOST]}"] if extra else [])
