"""Say which parts are up, and keep them running: restart a part that ends, visibly, and not forever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from devstack.errors import StackError
from devstack.processes import Child

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
TRIES = 5
HEALTHY_SECONDS = 60.0


@dataclass
class Part:
    """A process of the stack. `start` starts or restarts it, and returns when it is ready.

    `serves`: whether other parts use it. Parts that do not serve stop first.
    """

    child: Child
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    serves: bool = True

    @property
    def name(self) -> str:
        """The part's name in messages."""
        return self.child.name


@contextlib.contextmanager
def coming_up(say: Callable[[str], None], name: str) -> Iterator[None]:
    """Say that a part is up, and after how many seconds, unless the block raises."""
    started = time.monotonic()
    yield
    say(f"  ✓ {name.removeprefix('the '):<20} {time.monotonic() - started:5.1f} s")


async def supervise(part: Part, say: Callable[[str], None]) -> None:
    """Watch one part, and restart it when it ends. Never returns.

    Raises:
        StackError: the part failed more than `TRIES` times in a row without having run for a minute in between.
    """
    failures = 0
    started = time.monotonic()
    while True:
        await part.child.wait()
        what = f"{part.name} {part.child.ended()}: {part.child.tail()}"
        failures = 1 if time.monotonic() - started > HEALTHY_SECONDS else failures + 1
        while True:
            if failures > TRIES:
                raise StackError(f"gave up on {what}")
            wait = min(FIRST_WAIT_SECONDS * 2 ** (failures - 1), LONGEST_WAIT_SECONDS)
            say(f"{what}; restarting in {wait:g} s")
            await asyncio.sleep(wait)
            started = time.monotonic()
            try:
                await part.start()
                break
            except StackError as error:
                what = str(error)
                failures += 1
        say(f"{part.name} is running again")
