"""The pages that the tests open, with what each shows of the seeded months."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.console.browser.seeding import SeededMonths


@dataclass(frozen=True)
class SeenPage:
    """A page by a name, its address, what it must contain, and its status."""

    name: str
    path: Callable[[SeededMonths], str]
    holds: str
    status: int = 200


SEEN_PAGES = (
    SeenPage("overview", lambda _: "/", "Overview"),
    SeenPage("no-such-page", lambda _: "/no-such-page", "There is no such page", 404),
)
