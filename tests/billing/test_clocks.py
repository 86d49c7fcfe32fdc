"""Two clocks differ only as far as their readings prove it."""

from __future__ import annotations

import pytest

from billing.clocks import ahead
from starter.cli.doctor.clocks import judge


@pytest.mark.parametrize(
    ("theirs", "ours", "apart"),
    [
        ((10.0, 10.0), (9.0, 11.0), 0.0),
        ((12.0, 12.0), (9.0, 11.0), 1.0),
        ((8.5, 8.5), (9.0, 11.0), -0.5),
        ((8.0, 9.0), (9.5, 9.6), -0.5),
        ((9.0, 10.0), (9.5, 9.6), 0.0),
        ((99.0, 100.0), (9.0, 9.0), 90.0),
    ],
)
def test_the_least_difference(theirs: tuple[float, float], ours: tuple[float, float], apart: float) -> None:
    assert ahead(theirs, ours) == apart


def test_what_is_too_far_apart() -> None:
    assert [judge("PostgreSQL", by).mark for by in (0.0, 1.9, -1.9, 2.5, -59.0, 61.0, -3600.0)] == [
        *("ok", "ok", "ok", "warning", "warning", "fault", "fault")
    ]
    assert judge("Stripe", -75.25).text == "The clock of Stripe is 75.2 s behind this machine's."
    assert judge("Stripe", 75.25).check == "clock.stripe"
