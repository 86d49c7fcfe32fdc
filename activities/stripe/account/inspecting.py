"""Inspect the API key and the account: mode, rights, webhook endpoints, tax, clock. Nothing is changed.

A right to write is asked for by a change of an object that does not exist: Stripe refuses it as forbidden if the key
lacks the right, and otherwise as missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import stripe
from stripe import StripeClient
from temporalio import activity

from activities.heartbeats import beating
from activities.stripe.account.rate import invoices_per_second, outdated_rate
from activities.stripe.client import as_dict
from activities.stripe.events import types_wanted
from activities.stripe.mode import mode_of_key
from billing.clocks import ahead
from contracts.names import Activities
from contracts.stripe_account import EndpointSeen, InspectStripe, RightSeen, StripeInspected
from reconciliation.event_types import CAUGHT_UP_EVENTS
from settings import Settings

_AT_ONCE = 4
_REQUEST_SECONDS = 10.0
_EVENTS = 100
_DELIVERED_WITHIN_SECONDS = 300
_ONE: Any = {"limit": 1}
_PUBLISHED = ("stripe_mode", "stripe_account_key")
_BROKEN = (aiohttp.ClientError, TimeoutError)

Ask = Callable[[Any], Awaitable[Any]]


def _reading(service: str) -> Ask:
    return lambda v1: getattr(v1, service).list_async(_ONE)


def _writing(service: str, missing: str) -> Ask:
    return lambda v1: getattr(v1, service).update_async(f"{missing}_perdure_doctor", {})


RIGHTS: tuple[tuple[str, str, Ask], ...] = (
    ("Customers", "read", _reading("customers")),
    ("Customers", "write", _writing("customers", "cus")),
    ("Invoices", "read", _reading("invoices")),
    ("Invoices", "write", _writing("invoices", "in")),
    ("Credit notes", "read", _reading("credit_notes")),
    ("Credit notes", "write", _writing("credit_notes", "cn")),
    ("Subscriptions", "read", _reading("subscriptions")),
    ("Events", "read", _reading("events")),
    ("Disputes", "read", _reading("disputes")),
    ("Charges and Refunds", "read", _reading("refunds")),
)
"""The rights that the key needs (docs/stripe-account.md), each with a request that needs it."""


class StripeInspection:
    """Inspects the key that it is given."""

    def __init__(self, client: StripeClient, settings: Settings) -> None:
        self._v1 = client.v1
        self._settings = settings
        self._key = settings.need("stripe_api_key")
        self._several = asyncio.Semaphore(_AT_ONCE)

    @activity.defn(name=Activities.INSPECT_STRIPE)
    async def inspect(self, _: InspectStripe) -> StripeInspected:
        """Return what the key may do and how the account is set up; a refusal is a result, not an error."""
        async with beating():
            inspected = StripeInspected(
                key_mode=mode_of_key(self._key),
                restricted=self._key.startswith("rk_"),
                emulated=self._settings.stripe_api_base is not None,
                api_version=stripe.api_version,
                settings={name.upper(): str(getattr(self._settings, name) or "") for name in _PUBLISHED},
                invoices_per_second=invoices_per_second(self._settings),
                outdated_rate=outdated_rate(self._settings),
                scheduled_at=activity.info().scheduled_time,
            )
            try:
                found = await self._first()
            except (stripe.StripeError, *_BROKEN) as error:
                return inspected.model_copy(update={"refused": _words(error)})
            rights, *others = await asyncio.gather(
                self._rights(), self._account(), self._endpoints(), self._events(), self._tax(), self._untaxed()
            )
            found |= {"rights": rights}
            for other in others:
                found |= other
            return inspected.model_copy(update=found)

    async def _first(self) -> dict[str, Any]:
        """Make one request, for which every valid key has some answer; return the clock's difference by it."""
        before = time.time()
        try:
            answer = await self._ask(lambda v1: v1.customers.list_async(_ONE))
            headers, livemode = answer.last_response.headers, (answer.data[0].livemode if answer.data else None)
        except stripe.PermissionError as error:
            headers, livemode = error.headers, None
        sent = {name.lower(): value for name, value in dict(headers or {}).items()}.get("date")
        if sent is None:
            return {"livemode": livemode}
        said = parsedate_to_datetime(sent).timestamp()
        return {"stripe_ahead_seconds": ahead((said, said + 1), (before, time.time())), "livemode": livemode}

    async def _rights(self) -> list[RightSeen]:
        return list(await asyncio.gather(*(self._right(*right) for right in RIGHTS)))

    async def _right(self, name: str, access: str, ask: Ask) -> RightSeen:
        try:
            await self._ask(ask)
        except stripe.PermissionError as error:
            return RightSeen(name=name, access=access, refused=_words(error))
        except stripe.InvalidRequestError:  # allowed: it is the object that is missing
            pass
        except (stripe.StripeError, *_BROKEN) as error:
            return RightSeen(name=name, access=access, unknown=_words(error))
        return RightSeen(name=name, access=access)

    async def _account(self) -> dict[str, Any]:
        account = await self._if_allowed(lambda v1: v1.accounts.retrieve_current_async())
        return {} if account is None else {"account_id": account["id"]}

    async def _endpoints(self) -> dict[str, Any]:
        listed = await self._if_allowed(lambda v1: v1.webhook_endpoints.list_async({"limit": 100}))
        if listed is None:
            return {}
        return {"endpoints": [_endpoint(each) for each in listed["data"]]}

    async def _events(self) -> dict[str, Any]:
        latest = int(time.time()) - _DELIVERED_WITHIN_SECONDS
        params: Any = {"limit": _EVENTS, "created": {"lte": latest}, **types_wanted(CAUGHT_UP_EVENTS)}
        listed = await self._if_allowed(lambda v1: v1.events.list_async(params))
        if listed is None:
            return {}
        late = [each for each in listed["data"] if each["pending_webhooks"]]
        return {"events_read": len(listed["data"]), "undelivered": len(late)}

    async def _tax(self) -> dict[str, Any]:
        found = await self._if_allowed(lambda v1: v1.tax.settings.retrieve_async())
        if found is None:
            return {}
        missing = (found["status_details"].get("pending") or {}).get("missing_fields") or []
        return {"tax_status": found["status"], "tax_missing": missing}

    async def _untaxed(self) -> dict[str, Any]:
        params: Any = {"limit": 100, "automatic_tax": {"enabled": False}}
        listed = await self._if_allowed(lambda v1: v1.subscriptions.list_async(params))
        if listed is None:
            return {}
        return {"untaxed": [each["id"] for each in listed["data"] if each["automatic_tax"]["disabled_reason"]]}

    async def _if_allowed(self, ask: Ask) -> dict[str, Any] | None:
        """Return the answer, or None if there is none: the key may not ask, or Stripe does not answer."""
        try:
            return as_dict(await self._ask(ask))
        except (stripe.StripeError, *_BROKEN) as error:
            activity.logger.info("not answered for an inspection: %s", _words(error))
            return None

    async def _ask(self, ask: Ask) -> Any:
        async with self._several:
            return await asyncio.wait_for(ask(self._v1), _REQUEST_SECONDS)


def _endpoint(found: dict[str, Any]) -> EndpointSeen:
    return EndpointSeen(
        id=found["id"],
        url=found["url"],
        status=found["status"],
        description=found.get("description"),
        api_version=found.get("api_version"),
        events=found["enabled_events"],
    )


def _words(error: Exception) -> str:
    text = error.user_message if isinstance(error, stripe.StripeError) else None
    return " ".join((text or str(error) or type(error).__name__).split())
