"""The deeds of the saboteur and the operators, and their times: derived from the seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from campaigns.chaos.histories import STORM_WAVES
from campaigns.chaos.stand.live import LIVE
from campaigns.chaos.stand.stand import BILLING
from campaigns.chaos.world import ChaosWorld

_INVOICES, _FINALIZE, _LINES = "^/v1/invoices$", "/finalize$", "/add_lines$"
_PATHS = (_INVOICES, _FINALIZE, _LINES, "^/v1/customers$", "^/v1/invoices/in_", "^/v1/")
_FAULTS: tuple[dict[str, Any], ...] = (
    {"action": "429"},
    {"action": "500"},
    {"action": "500", "committed": True},
    {"action": "500", "stored": False},
    {"action": "503"},
    {"action": "lost_request"},
    {"action": "lost_response"},
    {"action": "lost_response"},
    {"action": "slow", "seconds": 2},
    {"action": "slow_body", "seconds": 2},
    {"action": "truncated_body"},
)
_WEBHOOKS: tuple[dict[str, Any], ...] = (
    {"action": "drop"},
    {"action": "double"},
    {"action": "delay", "seconds": 2},
    {"action": "reorder", "seconds": 3},
    {"action": "strip"},
)
_HELD = 0.2
_TYPES = ("", "", "invoice", "invoice.finalized", "customer.subscription")


@dataclass(frozen=True)
class Deed:
    """A deed `at` seconds into the storm: `what`, with its `details`."""

    at: float
    what: str
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at:5.2f} s {self.what} {' '.join(f'{k}={v}' for k, v in self.details.items())}"


@dataclass(frozen=True)
class CampaignPlan:
    """All deeds in order, and the accounts whose invoices an operator voids.

    `patient`: the storm waits for the first claims, so that it hits the work with Stripe rather than the claiming.
    `page_size`: accounts that are claimed together. Those that share an instance are on one page or on two.
    """

    seconds: float
    deeds: list[Deed]
    voided: frozenset[str]
    patient: bool
    page_size: int


def make_plan(seed: int, world: ChaosWorld, seconds: float) -> CampaignPlan:
    """Return the storm of this seed."""
    rng = random.Random(f"plan {seed}")
    deeds = [Deed(0, "run")]
    deeds += _kills(rng, seconds)
    if world.arrival == "live":
        deeds += _attacks_on_arrivals(rng, seconds)
    deeds.append(Deed(0, "fault", _half_done(rng)))
    deeds += [Deed(rng.choice((0, rng.uniform(0, seconds))), "fault", _fault(rng)) for _ in range(rng.randrange(3, 8))]
    deeds += [Deed(rng.choice((0, rng.uniform(0, seconds))), "hook", _hook(rng)) for _ in range(rng.randrange(2, 5))]
    deeds += [Deed(rng.uniform(0, seconds), "late", {"wave": wave}) for wave in STORM_WAVES]
    again = rng.sample(STORM_WAVES, 2)  # an operator imports what is imported already
    deeds += [Deed(rng.uniform(0, seconds), "late", {"wave": wave}) for wave in again]
    deeds += [Deed(rng.uniform(1, seconds), "run") for _ in range(rng.randrange(1, 3))]
    names = [account.attribution_id for account in world.accounts]
    for name in rng.sample(names, min(2, len(names))):
        deeds.append(Deed(rng.uniform(0, seconds), "run", {"account": name}))
    voided = frozenset(rng.sample(names, len(names) // 25)) if rng.random() < 0.7 else frozenset()
    for name in sorted(voided):
        deeds.append(Deed(rng.uniform(seconds / 2, seconds), "void", {"account": name}))
    deeds += _on_stripes_clock(rng, world, seconds)
    if rng.random() < 0.3:
        deeds.append(Deed(rng.uniform(2, seconds), "forget"))
    patient, page_size = rng.random() < (0.6 if world.arrival == "files" else 0.75), rng.choice((3, 9, 250))
    return CampaignPlan(seconds, sorted(deeds, key=lambda deed: deed.at), voided, patient, page_size)


def _kills(rng: random.Random, seconds: float) -> list[Deed]:
    parts = [*BILLING, "billing-a", "stripe", "stripe", "webhook", "postgres", "temporal"]
    chosen = [rng.choice(parts) for _ in range(rng.randrange(3, 7))]
    # Kills of the same part wait for each other, so they can outlast the storm.
    return [Deed(rng.uniform(0.2, seconds), "kill", {"part": part, "down": rng.uniform(0, 2)}) for part in chosen]


def _attacks_on_arrivals(rng: random.Random, seconds: float) -> list[Deed]:
    chosen = [rng.choice(LIVE) for _ in range(rng.randrange(2, 5))]
    kills = [Deed(rng.uniform(0, seconds), "kill", {"part": part, "down": rng.uniform(0, 1)}) for part in chosen]
    cuts = [Deed(rng.uniform(0, seconds), "cut", {"part": rng.choice(LIVE)}) for _ in range(rng.randrange(1, 5))]
    return kills + cuts


def _half_done(rng: random.Random) -> dict[str, Any]:
    """Return a fault in which Stripe does what it denies. Every storm has one: it is what causes duplicates."""
    actions: tuple[dict[str, Any], ...] = (
        {"action": "lost_response"},
        {"action": "500", "committed": True},
        {"action": "truncated_body"},
    )
    match = {"method": "POST", "path": rng.choice((_INVOICES, _INVOICES, _LINES, _FINALIZE, "^/v1/customers$"))}
    return {**rng.choice(actions), "match": match, "probability": 0.3, "seed": rng.randrange(10**6), "times": None}


def _fault(rng: random.Random) -> dict[str, Any]:
    rule = {**rng.choice(_FAULTS), "probability": rng.choice((0.05, 0.2, 0.5)), "seed": rng.randrange(10**6)}
    match: dict[str, Any] = {"path": rng.choice(_PATHS)}
    if match["path"] != "^/v1/invoices/in_" and rng.random() < 0.7:
        match["method"] = "POST"
    return {**rule, "match": match, "times": rng.choice((3, 10, None))}


def _hook(rng: random.Random) -> dict[str, Any]:
    rule = {**rng.choice(_WEBHOOKS), "probability": rng.choice((0.1, 0.5, 1.0)), "seed": rng.randrange(10**6)}
    return {**rule, "match": {"type": rng.choice(_TYPES)}, "times": rng.choice((10, 50, None))}


def _on_stripes_clock(rng: random.Random, world: ChaosWorld, seconds: float) -> list[Deed]:
    """Return cancellations and the end of a cycle in the order of Stripe's clock, which only moves forward.

    A draft is held some time after it was made: the product can be faster.
    """
    planned = [
        (each.end, account.attribution_id, number)
        for account in world.accounts
        for number, each in enumerate(account.subscriptions)
        if each.storm and each.end is not None
    ]
    moments = sorted(rng.uniform(0, seconds) for _ in planned)
    deeds = [
        Deed(at, "cancel", {"account": name, "number": number})
        for at, (_, name, number) in zip(moments, sorted(planned), strict=True)
    ]
    if world.cycles is not None:
        cycle = rng.uniform(max([0, *moments]), seconds)
        deeds.append(Deed(cycle, "cycle"))
        for account in world.accounts:
            for number, each in enumerate(account.subscriptions):
                if world.cycles.storm in each.cycle_ends(world.last_cycle) and rng.random() < _HELD:
                    details = {"account": account.attribution_id, "number": number}
                    deeds.append(Deed(min(seconds, cycle + rng.choice((0, 0.1, 1))), "hold", details))
    return deeds
