"""The one place that maps the Stripe SDK's errors to Temporal's, after Stripe's error reference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import stripe
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeats import beating
from activities.step import category_of, details_of
from billing.errors import PermanentError
from billing.invoice.policy import BlockedKind
from contracts.messages.holds import Hold
from contracts.messages.invoices import StripeInvoiceCreated

_RATE_LIMIT_PAUSE = timedelta(seconds=2)
_CREDENTIALS_PAUSE = timedelta(minutes=1)
_COMBINED = "cannot combine currencies on a single customer"
"""Stripe's words for an invoice in another currency than what is open of its customer; it has no code for it."""
_CONFLICT = 409
_TOO_MANY = 429
_SERVER_FAULT = 500


@asynccontextmanager
async def stripe_step() -> AsyncIterator[list[StripeInvoiceCreated]]:
    """Wrap Stripe calls: send heartbeats while they run, and map errors to Temporal's.

    A refusal that Stripe would repeat is non-retryable. Rate limits, conflicts in flight, Stripe's own faults and
    broken connections are retried. So are refused credentials: they are the deployment's fault, not the invoice's, and
    one new key fixes them all. What the step puts in the list exists in Stripe although the step fails: the error
    carries it as details.

    Raises:
        ApplicationError: with Stripe's message and code, for one clear line in the Temporal UI.
    """
    made: list[StripeInvoiceCreated] = []
    try:
        async with beating():
            yield made
    except PermanentError as error:
        raise ApplicationError(
            str(error),
            *made,
            *details_of(error),
            type=type(error).__name__,
            non_retryable=True,
            category=category_of(error),
        ) from error
    except stripe.StripeError as error:
        raise _mapped(error, made) from error


def stored_failure(error: stripe.StripeError) -> str | None:
    """Return the id of the request whose failure in Stripe (500) is kept under its idempotency key, or None.

    As long as Stripe keeps the key, each retry gets that answer again. The request has ended, so a fetch shows
    whether it did anything; if it did not, another key, made from this id, is safe.
    https://docs.stripe.com/api/idempotent_requests
    """
    headers = {name.lower(): value for name, value in dict(error.headers or {}).items()}
    failed = (error.http_status or 0) >= _SERVER_FAULT and headers.get("idempotent-replayed") == "true"
    return headers.get("original-request") if failed else None


def code_of(error: stripe.StripeError) -> str | None:
    """Return Stripe's code of the error, which the SDK has only in the body of some errors."""
    return error.code or (error.error.code if error.error else None)


def is_refused(error: stripe.StripeError) -> bool:
    """Return whether Stripe would refuse the same request again."""
    if error.http_status in (_CONFLICT, _TOO_MANY) or isinstance(error, stripe.RateLimitError):
        return False
    return isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError | stripe.CardError)


def foreign_key(stripe_invoice_id: str, stripe_customer_id: str | None) -> ApplicationError:
    """Return the retryable error for a key that sees neither our invoice nor its customer.

    That is no proof that the invoice is gone: to treat it as deleted would release its usage and bill it again in
    another Stripe account.
    """
    return ApplicationError(
        f"Stripe: this STRIPE_API_KEY sees neither {stripe_invoice_id} nor its customer "
        f"{stripe_customer_id or '(unknown)'}: use a key of the same Stripe account and mode",
        type="StripeCredentials",
        next_retry_delay=_CREDENTIALS_PAUSE,
    )


def _mapped(error: stripe.StripeError, made: list[StripeInvoiceCreated]) -> ApplicationError:
    text = f"Stripe: {error.user_message or error}"
    if code := code_of(error):
        text += f" ({code})"
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return ApplicationError(
            f"{text}: give the Stripe worker a valid STRIPE_API_KEY",
            type="StripeCredentials",
            next_retry_delay=_CREDENTIALS_PAUSE,
        )
    if error.http_status == _TOO_MANY or isinstance(error, stripe.RateLimitError):
        # More callers than slots: spread them, wider with each attempt.
        attempt = min(activity.info().attempt, 15)
        return ApplicationError(text, type="StripeRateLimit", next_retry_delay=_RATE_LIMIT_PAUSE * attempt)
    if is_refused(error):
        held = [Hold(held_as=BlockedKind.CURRENCY, reason=text)] if _COMBINED in text else []
        return ApplicationError(text, *made, *held, type="StripeRefusedError", non_retryable=True)
    return ApplicationError(text, type="StripeUnavailable")
