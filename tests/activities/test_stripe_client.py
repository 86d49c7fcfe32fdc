"""Idempotency keys: made only from the request's business identity, and never longer than Stripe accepts."""

from __future__ import annotations

from activities.stripe.client import keyed

LONGEST = f"2022-05/team:{'x' * 128}/cancellation/sub_{'1' * 26}/12"


def test_a_key_says_what_is_asked_for() -> None:
    assert keyed("2022-05/team:a/period", "1", "create") == {
        "idempotency_key": "perdure:2022-05/team:a/period:1:create"
    }


def test_a_long_key_is_shortened_and_stays_its_own() -> None:
    keys = [
        str(keyed(LONGEST, "1", f"in_{'1' * 24}", what, *after)["idempotency_key"])
        for what in ("lines 1 100", "lines 101 200", f"metadata {'a' * 64}", f"metadata {'b' * 64}")
        for after in ((), ("req_11111111111111",), ("req_11111111111111", "req_22222222222222"))
    ]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) == 255
    assert all(key.startswith(f"perdure:{LONGEST[:100]}") for key in keys)
