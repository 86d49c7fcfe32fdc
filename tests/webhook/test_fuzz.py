"""A short run of the fuzz target: its seeds and random mutations. `make fuzz` runs until it is stopped."""

from __future__ import annotations

import hmac
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.fuzz.target import NOW, SECRETS, accepts, good_delivery, one_input, seeds, understand


def test_a_good_delivery_is_accepted_and_understood() -> None:
    body, header = good_delivery()
    assert accepts(body, header)
    understand(body)


def test_seeds() -> None:
    for seed in seeds():
        one_input(seed)


@settings(max_examples=400, deadline=None)
@given(kind=st.integers(0, 3), rest=st.binary(max_size=400) | st.sampled_from([seed[1:] for seed in seeds()]))
def test_any_bytes(kind: int, rest: bytes) -> None:
    one_input(bytes([kind]) + rest)


def test_seeds_that_chance_has_changed() -> None:
    random = Random(7)
    found = seeds()
    for _ in range(3000):
        changed = bytearray(random.choice(found))
        for _ in range(random.randint(1, 5)):
            where = random.randrange(len(changed))
            match random.randrange(3):
                case 0:
                    changed[where] = random.randrange(256)
                case 1:
                    changed[where:where] = random.choice(found)[: random.randint(1, 50)]
                case _:
                    del changed[where + 1 : where + random.randint(1, 20)]
        one_input(bytes(changed))


def test_the_target_sees_what_is_wrong() -> None:
    """With the secret, a request is accepted and the target fails, as it would if a forged request were accepted."""
    body = b'{"object": "event"}'
    stamp = sha256(b"").hexdigest()
    mac = hmac.new(SECRETS[0].encode(), b"%d." % NOW + body, sha256).hexdigest()
    one_input(b"\0" + stamp.encode())
    with pytest.raises(AssertionError):
        one_input(b"\0" + mac.encode())
