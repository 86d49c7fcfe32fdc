"""The console script: Ctrl-C ends it in a line's silence from the first moment, also while Python still imports."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line."""
    signal.signal(signal.SIGINT, _interrupted)
    from starter.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    main.run()


def _interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
    os._exit(130)
