"""Sending the details of customers to Stripe that the API has accepted.

This process has neither Stripe's key nor a customer to change: it gives the details to the Stripe worker, and the
billing worker records whose customer it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from billing.errors import CustomerRefusedError, StripeNotAskedError
from contracts.messages.customers import CustomerSeen, PostalAddress, SendCustomer
from storage.accounts.details import UnsentDetails, is_anothers, record_in_stripe, unsent_details_of
from storage.arrivals.details import DetailsToSend, next_to_send, note_sent, postpone
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.refusals import retrying

logger = logging.getLogger("perdure.sources")

SendDetails = Callable[[SendCustomer], Awaitable[CustomerSeen | None]]
"""Has a customer created with these details, or changed. Returns the customer, None if the details may have changed.

Raises CustomerRefusedError if Stripe refuses them, StripeNotAskedError if Stripe cannot be asked now.
"""
RecordSent = Callable[[UnsentDetails, CustomerSeen], Awaitable[bool]]
"""Records that this customer has these details. Returns False if it is not the account's."""

_IDLE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_AT_ONCE = 8


async def send_latest(
    db: Database, attribution_id: str, send: SendDetails, record: RecordSent, *, location: bool = False
) -> None:
    """Send the details that Stripe does not have yet of an account, until it has the latest.

    Args:
        location: as in `SendCustomer`.

    Raises:
        CustomerRefusedError: Stripe refuses them, or another account has the customer that names this one.
        StripeNotAskedError: Stripe cannot be asked now.
    """
    found: str | None = None
    while (unsent := await unsent_details_of(db, attribution_id)) is not None:
        seen = await send(_order(unsent, unsent.stripe_customer_id or found, location=location))
        if seen is None:
            continue
        assert seen.stripe_customer_id is not None
        recorded = not seen.only_found and await record(unsent, seen)
        if not recorded and await is_anothers(db, attribution_id, seen.stripe_customer_id):
            raise CustomerRefusedError("its customer in Stripe is another account's")
        # If it was not recorded, the account has got another customer meanwhile.
        found = seen.stripe_customer_id if seen.only_found else None


def _order(unsent: UnsentDetails, stripe_customer_id: str | None, *, location: bool) -> SendCustomer:
    details = unsent.details
    return SendCustomer(
        attribution_id=unsent.attribution_id,
        stripe_customer_id=stripe_customer_id,
        name=details.name,
        email=details.email,
        address=PostalAddress(**details.address) if details.address else None,
        tax_id=details.tax_id,
        location=location,
        only_find=True,
    )


async def send_forever(db: Database, send: SendDetails) -> None:
    """Send what is to be sent, within a second when idle, until it is canceled.

    While Stripe, Temporal or the database is away it tries again, at most 30 seconds apart: nothing is lost.
    """
    pause = _IDLE_SECONDS
    while True:
        try:
            with retrying("send details"):
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
        DatabaseUnavailableError: the same, or nothing was sent.
    """
    some = await next_to_send(db, _AT_ONCE)
    results = await asyncio.gather(*(_send_one(db, send, each) for each in some), return_exceptions=True)
    for each, result in zip(some, results, strict=True):
        if isinstance(result, StripeNotAskedError | DatabaseUnavailableError):
            await postpone(db, each)
    for result in results:
        if result is not None:
            raise result
    return len(some)


async def _send_one(db: Database, send: SendDetails, each: DetailsToSend) -> None:
    async def record(unsent: UnsentDetails, seen: CustomerSeen) -> bool:
        assert seen.stripe_customer_id is not None
        return await record_in_stripe(db, unsent, seen.stripe_customer_id, each.source)

    with retrying("record details as sent"):
        try:
            await send_latest(db, each.attribution_id, send, record)
        except CustomerRefusedError as error:
            logger.warning("the details of %s are not in Stripe: %s", each.attribution_id, error)
            await note_sent(db, each, refused=str(error))
        else:
            await note_sent(db, each)
