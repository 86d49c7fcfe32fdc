"""Run a stack with a stand-in for the product, as a process that a test can kill."""

from __future__ import annotations

import asyncio
import sys

from devstack.errors import StackError
from devstack.servers import product
from devstack.stack import Stack
from devstack.up import run_up
from tests.support import stub_product


async def _ready(stack: Stack) -> int | None:
    _say(f"ready {' '.join(str(part.child.pid) for part in stack.parts)}")
    return 3 if "status3" in sys.argv else None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    product.PERDURE = (sys.executable, "-m", stub_product.__name__)
    try:
        sys.exit(asyncio.run(run_up(_say, _ready, exit_after="exit" in sys.argv)))
    except StackError as error:
        sys.exit(f"error: {error}")
