"""What the Stripe worker finds out about its key and its account, without changing anything."""

from datetime import datetime

from contracts.messages.base import Message


class InspectStripe(Message):
    """Inspect the key, the account and its webhook endpoints."""


class RightSeen(Message):
    """A right of the key. `refused`: Stripe's words if it lacks the right; `unknown`: why that could not be asked."""

    name: str
    access: str
    refused: str | None = None
    unknown: str | None = None


class EndpointSeen(Message):
    """A webhook endpoint of the account."""

    id: str
    url: str
    status: str
    description: str | None = None
    api_version: str | None = None
    events: list[str] = []


class StripeInspected(Message):
    """The key and its account, and the settings of the worker that has it.

    `key_mode`: `live` or `test`, None if the key's form does not tell. `restricted`: whether it is a restricted key.
    `refused`: why Stripe refuses the key or cannot be reached; then the rest is empty. `account_id`, `endpoints`,
    `tax_status` and `undelivered` are None if the key may not read them. `undelivered`: how many of the latest
    `events_read` events some endpoint has not accepted, although they are older than a few minutes.
    `untaxed`: subscriptions on which Stripe has turned automatic tax off, of the 100 newest without it.
    `invoices_per_second`: the rate of the worker's queue; `outdated_rate`: what to write in place of the setting that
    gave it. `stripe_ahead_seconds`: how far Stripe's clock differs from the worker's for certain. `scheduled_at` is by
    Temporal's clock.
    """

    key_mode: str | None
    restricted: bool
    emulated: bool
    api_version: str
    settings: dict[str, str]
    scheduled_at: datetime
    refused: str | None = None
    account_id: str | None = None
    livemode: bool | None = None
    rights: list[RightSeen] = []
    endpoints: list[EndpointSeen] | None = None
    events_read: int = 0
    undelivered: int | None = None
    tax_status: str | None = None
    tax_missing: list[str] = []
    untaxed: list[str] = []
    stripe_ahead_seconds: float = 0.0
    invoices_per_second: float | None = None
    outdated_rate: str | None = None
