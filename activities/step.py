"""Around every activity: the one place that maps our errors to Temporal's, and which methods are registered."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeats import beating
from billing.errors import DecisionRefusedError, EditedInvoiceError, PermanentError
from contracts.messages.base import Message
from contracts.messages.invoices import EditedFigures


@asynccontextmanager
async def step() -> AsyncIterator[None]:
    """Around an activity's body: heartbeats while it runs, and permanent errors become non-retryable.

    Every other error is left as it is: Temporal retries it for as long as it takes.

    Raises:
        ApplicationError: non-retryable, its type the error's class name.
    """
    try:
        async with beating():
            yield
    except PermanentError as error:
        # What a person is refused is told to them; it is no fault for the worker's log.
        refused = isinstance(error, DecisionRefusedError)
        raise ApplicationError(
            str(error),
            *details_of(error),
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN if refused else ApplicationErrorCategory.UNSPECIFIED,
        ) from error


def details_of(error: PermanentError) -> list[Message]:
    """What a person needs to decide on the error, beside its text."""
    if isinstance(error, EditedInvoiceError):
        return [EditedFigures(subtotal=error.subtotal, digest=error.digest)]
    return []


def activities_of(*holders: object) -> list[Callable[..., Any]]:
    """The methods of these objects that `activity.defn` marks."""
    return [
        getattr(holder, name)
        for holder in holders
        for name, member in inspect.getmembers(type(holder), inspect.isfunction)
        if hasattr(member, "__temporal_activity_definition")
    ]
