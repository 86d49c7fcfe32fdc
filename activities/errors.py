"""The one place that maps our errors to Temporal's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity
from temporalio.exceptions import ApplicationError

from billing.errors import EditedInvoiceError, PermanentError
from contracts.invoices import EditedFigures
from contracts.message import Message

_HEARTBEAT_EVERY = 10.0


@asynccontextmanager
async def step() -> AsyncIterator[None]:
    """Around an activity's body: heartbeats while it runs, and permanent errors become non-retryable.

    Every other error is left as it is: Temporal retries it for as long as it takes.

    Raises:
        ApplicationError: non-retryable, its type the error's class name.
    """
    try:
        async with heartbeats():
            yield
    except PermanentError as error:
        raise ApplicationError(str(error), *details_of(error), type=type(error).__name__, non_retryable=True) from error


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Heartbeats while an activity's body runs."""
    beat = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beat.cancel()
        with suppress(asyncio.CancelledError):
            await beat


def details_of(error: PermanentError) -> list[Message]:
    """What a person needs to decide on the error, beside its text."""
    if isinstance(error, EditedInvoiceError):
        return [EditedFigures(subtotal=error.subtotal, digest=error.digest)]
    return []


async def _beat() -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT_EVERY)
        activity.heartbeat()
