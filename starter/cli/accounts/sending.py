"""Sends the details of customers that Stripe does not have yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from temporalio.client import Client

from activities.postgres.scopes import needs_of
from activities.sources.sending import send_latest
from billing.errors import CustomerRefusedError, StripeNotAskedError
from billing.text import plural
from contracts.messages.customers import CustomerSeen, SendCustomer
from settings import Settings
from starter.cli.exits import ExitStatus
from storage.accounts.details import UnsentDetails, record_sent, unsent_details
from storage.postgres.database import Database
from temporal.client import TemporalUnavailableError, connect
from temporal.customers import IN_THE_CLEAR, send_customer

_PAGE = 200
_AT_ONCE = 8


@dataclass
class Sending:
    """What happened to the details that Stripe did not have.

    `sent`: accounts whose details it has now. `refused`: why it refuses those of others, by account. `stopped`: why
    the rest was not sent; empty if all were tried. `in_the_clear`: whether Temporal keeps them unencrypted.
    """

    sent: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    in_the_clear: bool = False

    @property
    def status(self) -> ExitStatus:
        """The exit status: unless Stripe has everything, whether it refused some or could not be asked."""
        if self.refused:
            return ExitStatus.PARTLY
        return ExitStatus.UNAVAILABLE if self.stopped else ExitStatus.DONE

    def document(self) -> dict[str, object]:
        """Return the result as JSON."""
        refused = [{"attribution_id": account, "reason": why} for account, why in sorted(self.refused.items())]
        return {"sent": self.sent, "refused": refused, "stopped": self.stopped or None}

    def notes(self) -> list[str]:
        """Return what a person has to know, a line each."""
        notes = [f"the details of {account} are not in Stripe: {why}" for account, why in sorted(self.refused.items())]
        if self.stopped:
            notes.append(f"not all details are in Stripe: {self.stopped}; then run `perdure accounts send`")
        if self.in_the_clear:
            notes.append(IN_THE_CLEAR)
        return notes

    def sentence(self) -> str:
        """Say how many were sent."""
        return f"Sent to Stripe: the details of {plural(self.sent, 'customer')}."


async def send_details(db: Database, settings: Settings) -> Sending:
    """Send all details that Stripe does not have yet. Nothing is asked of Temporal if there are none."""
    sending = Sending()
    if not await unsent_details(db, "", 1):
        return sending
    sending.in_the_clear = settings.payload_keys is None
    try:
        client = await connect()
        async for some in _batches(db):
            await _send(db, client, settings, some, sending)
    except (TemporalUnavailableError, StripeNotAskedError) as error:
        sending.stopped = str(error)
    return sending


async def _batches(db: Database) -> AsyncIterator[list[UnsentDetails]]:
    after = ""
    while page := await unsent_details(db, after, _PAGE):
        for start in range(0, len(page), _AT_ONCE):
            yield page[start : start + _AT_ONCE]
        after = page[-1].attribution_id


async def _send(db: Database, client: Client, settings: Settings, some: list[UnsentDetails], sending: Sending) -> None:
    """Send the details of a few accounts at once.

    Raises:
        StripeNotAskedError: Stripe was not asked about one of them; the others are done.
    """
    location = needs_of(settings).address
    results = await asyncio.gather(
        *(_send_one(db, client, each.attribution_id, location=location) for each in some), return_exceptions=True
    )
    for each, result in zip(some, results, strict=True):
        if isinstance(result, CustomerRefusedError):
            sending.refused[each.attribution_id] = str(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            sending.sent += 1


async def _send_one(db: Database, client: Client, attribution_id: str, *, location: bool) -> None:
    async def send(order: SendCustomer) -> CustomerSeen | None:
        return await send_customer(client, order)

    async def record(unsent: UnsentDetails, seen: CustomerSeen) -> bool:
        assert seen.stripe_customer_id is not None
        return await record_sent(db, unsent, seen.stripe_customer_id, email=seen.email, address=seen.location)

    await send_latest(db, attribution_id, send, record, location=location)
