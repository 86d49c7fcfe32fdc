"""Wraps every activity: the one place that maps our errors to Temporal's, and that finds the methods to register."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeats import beating
from billing.errors import DecisionRefusedError, EditedInvoiceError, HeldInStripeError, PermanentError
from billing.invoice.policy import BlockedKind
from contracts.messages.base import Message
from contracts.messages.holds import Hold
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
        raise ApplicationError(
            str(error),
            *details_of(error),
            type=type(error).__name__,
            non_retryable=True,
            category=category_of(error),
        ) from error


def category_of(error: PermanentError) -> ApplicationErrorCategory:
    """Return `BENIGN` for what is no fault of a worker, so that the log stays quiet.

    A refusal goes to the person who asked; a draft that is held waits for the person who holds it.
    """
    benign = isinstance(error, DecisionRefusedError | HeldInStripeError)
    return ApplicationErrorCategory.BENIGN if benign else ApplicationErrorCategory.UNSPECIFIED


def details_of(error: PermanentError) -> list[Message]:
    """Return what a person needs to decide on the error, besides its text."""
    if isinstance(error, EditedInvoiceError):
        return [EditedFigures(subtotal=error.subtotal, digest=error.digest)]
    if isinstance(error, HeldInStripeError):
        return [Hold(held_as=BlockedKind(error.kind), reason=str(error))]
    return []


def activities_of(*holders: object) -> list[Callable[..., Any]]:
    """Return the methods of these objects that `activity.defn` marks."""
    return [
        getattr(holder, name)
        for holder in holders
        for name, member in inspect.getmembers(type(holder), inspect.isfunction)
        if hasattr(member, "__temporal_activity_definition")
    ]
