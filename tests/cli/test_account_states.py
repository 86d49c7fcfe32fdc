"""`perdure accounts list` says in one word how an account is charged today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import WindowKind
from starter.words.accounts import state_of

NOW = datetime(2022, 5, 20, tzinfo=UTC)
PAID, TRIAL = WindowKind.PAID, WindowKind.TRIAL


def day(number: int) -> datetime:
    return datetime(2022, 5, 1, tzinfo=UTC) + timedelta(days=number - 1)


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([(1, 14, TRIAL), (14, None, PAID)], "active"),
        ([(1, 14, PAID), (14, 25, TRIAL), (25, None, PAID)], "trial"),
        ([(1, 14, PAID), (14, None, WindowKind.COLLECTION_PAUSED)], "collection paused"),
        ([(1, 14, TRIAL), (14, 19, PAID)], "ended"),
        ([(21, None, TRIAL)], "future"),
        ([], "no window"),
    ],
)
def test_the_part_of_today_says_how_a_subscription_is_charged(
    parts: list[tuple[int, int | None, WindowKind]], state: str
) -> None:
    windows = tuple(
        WindowRecord(number, "team:a", "sub_1", day(start), day(end) if end else None, kind, "usd")
        for number, (start, end, kind) in enumerate(parts)
    )
    assert state_of(AccountRecord("team:a", None, "usd", None, day(1), windows), NOW) == state
