"""The one place that maps our errors to Temporal's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
