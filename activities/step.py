"""Wraps every activity: the one place that maps our errors to Temporal's, and that finds the methods to register."""

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
    """Wrap an activity's body: send heartbeats while it runs, and make permanent errors non-retryable.

    Every other error passes unchanged: Temporal retries it until it is gone.

    Raises:
        ApplicationError: non-retryable; its type is the error's class name.
    """
    try:
        async with beating():
            yield
    except PermanentError as error:
        # A refusal goes to the person who asked; it is not a worker error, so the log stays quiet.
        refused = isinstance(error, DecisionRefusedError)
        raise ApplicationError(
            str(error),
            *details_of(error),
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN if refused else ApplicationErrorCategory.UNSPECIFIED,
        ) from error


def details_of(error: PermanentError) -> list[Message]:
    """Return what a person needs to decide on the error, besides its text."""
    if isinstance(error, EditedInvoiceError):
        return [EditedFigures(subtotal=error.subtotal, digest=error.digest)]
    return []


def activities_of(*holders: object) -> list[Callable[..., Any]]:
    """Return the methods of these objects that `activity.defn` marks."""
    return [
        getattr(holder, name)
        for holder in holders
        for name, member in inspect.getmembers(type(holder), inspect.isfunction)
        if hasattr(member, "__temporal_activity_definition")
    ]
