"""What usage costs, computed from the world's rates without any of the product's code."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from campaigns.chaos.histories import MINUTE
from campaigns.chaos.truth import Piece
from campaigns.chaos.world import ChaosWorld

_EXACT = Context(prec=80)
_DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
_STEPS = {"kwd": 10}


def versions(world: ChaosWorld, piece: Piece) -> list[tuple[int, int]]:
    """Return the rate versions in force during a piece, each with its duration."""
    found = []
    for number, rate in enumerate(world.rates):
        until = world.rates[number + 1].since if number + 1 < len(world.rates) else piece[1]
        low, high = max(piece[0], rate.since), min(piece[1], until)
        if low < high:
            found.append((number, high - low))
    return found


def line_amount(world: ChaosWorld, currency: str, workspace_class: str, version: int, quantity_us: Decimal) -> int:
    """Return a line's amount in minor units. `quantity_us`: the sum of duration (µs) times quantity."""
    rate = world.rates[version]
    per_minute = Decimal(rate.credits_per_minute.get(workspace_class, rate.credits_per_minute["default"]))
    exact = _EXACT.divide(_EXACT.multiply(quantity_us, per_minute), Decimal(MINUTE))
    credits = exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN, _EXACT)
    minor = _EXACT.multiply(credits, Decimal(rate.price[currency])).scaleb(_DECIMALS[currency], _EXACT)
    step = _STEPS.get(currency, 1)
    return int(_EXACT.divide(minor, Decimal(step)).quantize(Decimal(1), ROUND_HALF_UP, _EXACT)) * step


def minimum(world: ChaosWorld, currency: str, cutoff: int) -> int:
    """Return the minimum charge in minor units, by the rates in force just before the cutoff."""
    before = [rate for rate in world.rates if rate.since < cutoff]
    return before[-1].minimum.get(currency, 0)
