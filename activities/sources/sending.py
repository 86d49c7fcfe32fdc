"""Sending the details of customers to Stripe that the API has accepted.

This process has neither Stripe's key nor a customer to change: it gives the details to the Stripe worker, and the
billing worker records whose customer it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from billing.errors import CustomerRefusedError, StripeNotAskedError
from contracts.messages.customers import PostalAddress, SendCustomer
from storage.accounts.details import UnsentDetails, record_in_stripe, unsent_details_of
from storage.arrivals.details import DetailsToSend, next_to_send, note_sent, postpone
from storage.postgres.database import Database, DatabaseUnavailableError

logger = logging.getLogger("perdure.sources")

SendDetails = Callable[[SendCustomer], Awaitable[None]]
"""Has a customer created with these details, or changed.

Raises CustomerRefusedError if Stripe refuses them, StripeNotAskedError if Stripe cannot be asked now.
"""

_IDLE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_AT_ONCE = 8


def order_of(unsent: UnsentDetails, *, location: bool = False) -> SendCustomer:
    """Return the order to send these details; `location` as in `SendCustomer`."""
    details = unsent.details
    return SendCustomer(
        attribution_id=unsent.attribution_id,
        stripe_customer_id=unsent.stripe_customer_id,
        name=details.name,
        email=details.email,
        address=PostalAddress(**details.address) if details.address else None,
        tax_id=details.tax_id,
        location=location,
    )


async def send_forever(db: Database, send: SendDetails) -> None:
    """Send what is to be sent, within a second when idle, until it is canceled.

    While Stripe, Temporal or the database is away it tries again, at most 30 seconds apart: nothing is lost.
    """
    pause = _IDLE_SECONDS
    while True:
        try:
            await send_some(db, send)
            pause = _IDLE_SECONDS
        except (DatabaseUnavailableError, StripeNotAskedError) as error:
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            logger.warning(
                "details of customers are not in Stripe yet, the next attempt is in %.0f s: %s", pause, error
            )
        await asyncio.sleep(pause)


async def send_some(db: Database, send: SendDetails) -> int:
    """Send the details of the next accounts. Returns the number of accounts.

    Raises:
        StripeNotAskedError: some were not sent: they come after the others.
    """
    some = await next_to_send(db, _AT_ONCE)
    results = await asyncio.gather(*(_send_one(db, send, each) for each in some), return_exceptions=True)
    for each, result in zip(some, results, strict=True):
        if isinstance(result, StripeNotAskedError):
            await postpone(db, each)
    for result in results:
        if result is not None:
            raise result
    return len(some)


async def _send_one(db: Database, send: SendDetails, each: DetailsToSend) -> None:
    unsent = await unsent_details_of(db, each.attribution_id)
    if unsent is not None:
        try:
            await send(order_of(unsent))
        except CustomerRefusedError as error:
            logger.warning("the details of %s are not in Stripe: %s", each.attribution_id, error)
            await note_sent(db, each, refused=str(error))
            return
        await record_in_stripe(db, unsent)
    await note_sent(db, each)
