"""`perdure up`: the stack in the foreground, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from devstack.stack import Stack

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130

Say = Callable[[str], None]
OnReady = Callable[[Stack], Awaitable[int | None]]


async def run_up(
    say: Say,
    on_ready: OnReady | None = None,
    *,
    exit_after: bool = False,
    home: Path | None = None,
    sample: bool = False,
) -> int:
    """Start the stack, call `on_ready`, wait for SIGINT or SIGTERM, and stop everything. Returns the exit status.

    An interruption before `on_ready` returns gives status 130; a second signal kills the parts immediately. Call it
    from the main thread: the children are tied to it.

    Args:
        say: receives lines for the user about the parts.
        on_ready: can return an exit status.
        exit_after: whether the stack stops as soon as `on_ready` returns.
        home: the data folder, `PERDURE_HOME` if None.
        sample: whether usage is fetched from the sample product's database.

    Raises:
        StackError: the stack does not start, or a part of it ends repeatedly.
        settings.SettingsError: a setting is malformed.
    """
    foreground = _Foreground(Stack(home, say, sample=sample), on_ready, exit_after=exit_after)
    work = asyncio.create_task(foreground.work())
    loop = asyncio.get_running_loop()
    signals = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP]
    for number in signals:  # under nohup, a hangup stays ignored
        loop.add_signal_handler(number, foreground.interrupt, work)
    try:
        await work
    except asyncio.CancelledError:
        if not foreground.interrupted:
            raise
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return foreground.status


class _Foreground:
    def __init__(self, stack: Stack, on_ready: OnReady | None, *, exit_after: bool) -> None:
        self.stack = stack
        self.on_ready = on_ready
        self.exit_after = exit_after
        self.status = INTERRUPTED
        self.interrupted = False

    def interrupt(self, work: asyncio.Task[None]) -> None:
        """Handle a signal: stop in order; at the second signal, kill immediately."""
        if self.interrupted:
            self.stack.kill()
            return
        self.interrupted = True
        self.stack.say("stopping")
        work.cancel()

    async def work(self) -> None:
        """Start the stack, watch it, and stop it."""
        await self.stack.start()
        watching = asyncio.create_task(self.stack.run())
        showing = asyncio.create_task(self._show())
        try:
            await asyncio.wait((watching, showing), return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                self.status = showing.result()
                if self.exit_after:
                    return
            await watching
        finally:
            for task in (watching, showing):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait((task,))
            await self.stack.stop()

    async def _show(self) -> int:
        return (await self.on_ready(self.stack) or 0) if self.on_ready else 0
