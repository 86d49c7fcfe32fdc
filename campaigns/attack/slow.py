"""Clients that keep the webhook waiting: for a first byte, a head, or a body."""

from __future__ import annotations

from random import Random

from campaigns.attack.shots import BROKEN, CLOSED, Make, Shot, encode, event, head, post, sign

_PAUSE = 0.7
_CHUNKS = 60  # with the pauses, longer than any timeout


def silent(_random: Random) -> Shot:
    """Connect and send nothing."""
    return Shot((b"",) * _CHUNKS, frozenset({CLOSED}), _PAUSE)


def slow_head(random: Random) -> Shot:
    """Send the head one byte at a time."""
    whole = head("Stripe-Signature: t=1,v1=0")
    return Shot(tuple(whole[n : n + 1] for n in range(random.randint(20, _CHUNKS))), BROKEN, _PAUSE)


def slow_body(random: Random) -> Shot:
    """Send a good head, then a correctly signed body one byte at a time."""
    body = encode(event(random))
    whole = post(body, sign(body))
    start = whole.index(b"\r\n\r\n") + 4
    return Shot((whole[:start], *(whole[n : n + 1] for n in range(start, start + _CHUNKS))), BROKEN, _PAUSE)


def half_a_body(random: Random) -> Shot:
    """Send a large body except for its last byte, so that the webhook has to hold it."""
    body = encode(event(random)) + b" " * 400_000
    whole = post(body, sign(body))
    return Shot((whole[:-1], *(b"",) * _CHUNKS), BROKEN, _PAUSE)


FAMILIES: dict[str, Make] = {
    "silent": silent,
    "slow head": slow_head,
    "slow body": slow_body,
    "half a body": half_a_body,
}
