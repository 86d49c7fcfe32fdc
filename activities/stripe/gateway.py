"""What the activities on Stripe share: requests that take effect once, and access to our invoices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import stripe
from stripe import StripeClient

from activities.stripe.client import as_dict, metadata_of
from activities.stripe.errors import foreign_key, stored_failure
from activities.stripe.invoice_data import is_kept_off, made_in_a_pause, snapshot
from activities.stripe.mode import Mode, check_mode
from billing.errors import HeldInStripeError
from billing.invoice.policy import BlockedKind, ChargeOn
from contracts import stripe_metadata
from contracts.messages.holds import Hold
from contracts.messages.invoices import StripeInvoiceOrder, StripeInvoiceRef, StripeInvoiceSnapshot

LINES_A_REQUEST = 100
"""The most lines of an invoice that Stripe adds or removes in one request."""
VERIFIED_FOR = timedelta(minutes=5)
"""What was verified longer ago is verified again before the customer is charged."""
_KEYS_TRUSTED_FOR = timedelta(hours=20)
# Stripe refuses a finalization time that is not in the future; nearer than this, we finalize.
_SOON = timedelta(minutes=1)
_NOT_FOUND = 404
_PAUSE = "pause_collection"

T = TypeVar("T")


async def post_once(
    post: Callable[[tuple[str, ...]], Awaitable[T]],
    find_made: Callable[[bool], Awaitable[T | None]] | None = None,
    *in_doubt: type[stripe.StripeError],
) -> T:
    """Post under an idempotency key; if Stripe keeps a failure of its own under the key, check before posting again.

    If the failed request did nothing, the next request has another key, made from the failed request's id.

    Args:
        post: Makes the request; its argument is the end of the idempotency key.
        find_made: Returns what the failed request created, or None. Its argument: whether None leads to another post
            instead of the error. Without `find_made`, the request can be repeated whatever it did.
        in_doubt: Refusals after which the request may nevertheless have taken effect: checked, never posted again.

    Raises:
        stripe.StripeError: The failure is not kept under the key; or it was in doubt, and nothing was found.
    """
    after: tuple[str, ...] = ()
    while True:
        try:
            return await post(after)
        except stripe.StripeError as error:
            failed = stored_failure(error)
            if not (failed or isinstance(error, in_doubt)):
                raise
            found = await find_made(failed is not None) if find_made else None
            if found is not None:
                return found
            if not failed:
                raise
            after = (failed,)


def key_may_be_gone(generation: int, not_before: datetime) -> bool:
    """Whether Stripe may have the object but no longer its idempotency key, so that it must be searched first.

    Stripe keeps keys for at least 24 h. `not_before`: the object cannot be older, even if Postgres was restored from a
    backup and has no record of it. A later generation has other keys than the first.
    """
    return generation > 1 or datetime.now(UTC) - not_before > _KEYS_TRUSTED_FOR


async def all_of(page: stripe.ListObject[Any]) -> list[dict[str, Any]]:
    """Return the objects of this page and of all that follow."""
    return [as_dict(each) async for each in page.auto_paging_iter()]


def is_missing(error: stripe.InvalidRequestError) -> bool:
    """Whether Stripe does not have the object that the request names."""
    return error.http_status == _NOT_FOUND


class StripeInvoices:
    """Stripe's invoices, for use within a `stripe_step`. With a mode, fetched invoices must be of it."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._invoices = client.v1.invoices
        self._customers = client.v1.customers
        self._subscriptions = client.v1.subscriptions
        self._mode = mode

    async def fetch(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        """Fetch the invoice with all its lines; its status is `deleted` if it is gone.

        Raises:
            ApplicationError: the key does not even see its customer.
            WrongModeError: the invoice is of the other mode.
        """
        try:
            invoice = as_dict(await self._invoices.retrieve_async(ref.stripe_invoice_id))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            if not await self._sees_customer(ref.stripe_customer_id):
                raise foreign_key(ref.stripe_invoice_id, ref.stripe_customer_id) from error
            return StripeInvoiceSnapshot(stripe_invoice_id=ref.stripe_invoice_id, status="deleted")
        check_mode(self._mode, invoice)
        return snapshot(invoice, await self.lines_of(invoice))

    async def find(self, stripe_customer_id: str, invoice_key: str) -> list[dict[str, Any]]:
        """Return the customer's invoices whose metadata names the key, from the list: it is strongly consistent."""
        page = await self._invoices.list_async({"customer": stripe_customer_id, "limit": 100})
        return [each for each in await all_of(page) if metadata_of(each).get(stripe_metadata.INVOICE) == invoice_key]

    async def lines_of(self, invoice: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all lines of a fetched invoice, which itself holds only the first ones."""
        lines: list[dict[str, Any]] = invoice["lines"]["data"]
        return await self.list_lines(invoice["id"]) if invoice["lines"].get("has_more") else lines

    async def list_lines(self, stripe_invoice_id: str) -> list[dict[str, Any]]:
        """List all lines as Stripe has them now."""
        return await all_of(await self._invoices.line_items.list_async(stripe_invoice_id, {"limit": 100}))

    async def announce(self, order: StripeInvoiceOrder, draft: StripeInvoiceSnapshot) -> None:
        """Set metadata and the time at which Stripe finalizes the draft by itself; only once it has all its lines.

        A draft that a person holds, or that waits for collection to be resumed, stays as it is, and says so.
        """
        params: Any = {"auto_advance": order.auto_advance}
        if order.auto_advance and order.finalizes_at is not None:
            if order.finalizes_at - datetime.now(UTC) > _SOON:
                params["automatically_finalizes_at"] = int(order.finalizes_at.timestamp())
            else:
                params["auto_advance"] = False
        if order.auto_advance and await self._ended_in_its_pause(order, draft):
            params = {"auto_advance": False}
        left = stripe_metadata.ADVANCE_ON if params["auto_advance"] else stripe_metadata.ADVANCE_OFF
        if is_kept_off(order, draft):
            left = await self._kept_off_as(order, draft)
            params.clear()
        params["metadata"] = {**order.metadata, stripe_metadata.ADVANCE: left}
        # No key: the update can be repeated, and is repeated after Stripe was kept from finalizing the draft.
        await self._invoices.update_async(draft.stripe_invoice_id, params)

    async def _kept_off_as(self, order: StripeInvoiceOrder, draft: StripeInvoiceSnapshot) -> str:
        """Return what keeps Stripe from finalizing the draft: a pause in which Stripe made it, or a person.

        It is judged when the draft is filled: the end of a later pause must not release what a person holds.
        """
        left = draft.metadata.get(stripe_metadata.ADVANCE)
        if left in (stripe_metadata.ADVANCE_KEPT, stripe_metadata.ADVANCE_PAUSED):
            return left
        paused = left is None and (
            made_in_a_pause(order, draft) or bool((await self._subscription(draft.stripe_subscription_id)).get(_PAUSE))
        )
        return stripe_metadata.ADVANCE_PAUSED if paused else stripe_metadata.ADVANCE_KEPT

    async def hold_of(self, ref: StripeInvoiceRef, found: StripeInvoiceSnapshot) -> Hold | None:
        """Return why the invoice must not be finalized yet; None if it can be, or is no draft any more.

        Stripe leaves the drafts of a pause as they are when collection is resumed, and Perdure goes on with its own. If
        the subscription ends while collection is paused, nobody has resumed it: its drafts stay held.
        https://docs.stripe.com/billing/subscriptions/pause-payment
        """
        if found.status != "draft":
            return None
        kept_off = is_kept_off(ref, found)
        own = await self._subscription(found.stripe_subscription_id if kept_off else None)
        for subscription in (own, await self._subscription(ref.paused_subscription)):
            if _is_paused(subscription):
                return Hold(
                    held_as=BlockedKind.COLLECTION_PAUSED,
                    reason=f"waits for collection of {subscription['id']} to be resumed in Stripe (`pause_collection`)",
                )
        ended = own if _ended_paused(own) else await self._ended_in_its_pause(ref, found)
        if ended:
            reason = (
                f"waits for the draft {found.stripe_invoice_id}: its subscription {ended['id']} ended while collection "
                "was paused: finalize or delete it in Stripe"
            )
            return Hold(held_as=BlockedKind.HELD_IN_STRIPE, reason=reason)
        paused = found.metadata.get(stripe_metadata.ADVANCE) == stripe_metadata.ADVANCE_PAUSED
        resumed = bool(own) and (paused or made_in_a_pause(ref, found))
        if kept_off and not resumed:
            reason = f"waits for the draft {found.stripe_invoice_id} to be released in Stripe (`auto_advance` is off)"
            return Hold(held_as=BlockedKind.HELD_IN_STRIPE, reason=reason)
        return None

    async def check_released(self, ref: StripeInvoiceRef, draft: StripeInvoiceSnapshot) -> None:
        """Prove that the draft may be finalized.

        Raises:
            HeldInStripeError: a person holds it, or collection of its subscription is paused.
        """
        if (hold := await self.hold_of(ref, draft)) is not None:
            raise HeldInStripeError(hold.reason, hold.held_as)

    async def _ended_in_its_pause(
        self, ref: StripeInvoiceRef | StripeInvoiceOrder, draft: StripeInvoiceSnapshot
    ) -> dict[str, Any]:
        """Fetch the subscription that ended in the pause in which our own draft was made; it is empty if there is none.

        A person can still turn on the draft's `auto_advance`.
        """
        if ref.charge_on is not ChargeOn.OWN or draft.auto_advance or draft.created is None:
            return {}
        last = {each.stripe_subscription_id: each for each in sorted(ref.pauses, key=lambda each: each.since)}
        for name, pause in last.items():
            if pause.covers(draft.created) and _ended_paused(found := await self._subscription(name)):
                return found
        return {}

    async def _subscription(self, stripe_subscription_id: str | None) -> dict[str, Any]:
        """Fetch the subscription; it is empty if there is none."""
        if stripe_subscription_id is None:
            return {}
        try:
            return as_dict(await self._subscriptions.retrieve_async(stripe_subscription_id))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            return {}

    async def _sees_customer(self, stripe_customer_id: str | None) -> bool:
        """Whether this key belongs to the customer's Stripe account and mode: Stripe shows even a deleted customer."""
        if stripe_customer_id is None:
            return False
        try:
            await self._customers.retrieve_async(stripe_customer_id)
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return False
            raise
        return True


def _is_paused(subscription: dict[str, Any]) -> bool:
    """Whether collection of the subscription is paused now."""
    return subscription.get(_PAUSE) is not None and subscription.get("ended_at") is None


def _ended_paused(subscription: dict[str, Any]) -> bool:
    """Whether the subscription ended while collection was paused: Stripe leaves the pause on it, and its drafts."""
    return subscription.get(_PAUSE) is not None and subscription.get("ended_at") is not None
