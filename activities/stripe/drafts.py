"""Drafts that exist in Stripe: filled, kept from finalization, voided."""

from __future__ import annotations

import hashlib
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, keyed, metadata_of
from activities.stripe.errors import code_of, stripe_step
from activities.stripe.gateway import LINES_A_REQUEST, StripeInvoices, is_missing, post_once
from activities.stripe.invoice_data import check_draft, is_kept_off, line_params, other_report, snapshot
from activities.stripe.mode import Mode, check_mode
from billing.errors import StripeRefusedError
from billing.invoice.policy import ChargeOn
from contracts import stripe_metadata
from contracts.messages.invoices import (
    StripeInvoiceCreated,
    StripeInvoiceOrder,
    StripeInvoiceRef,
    StripeInvoiceSnapshot,
)
from contracts.messages.owners import IdentifyStripeInvoice
from contracts.names import Activities
from reconciliation.figures import lines_digest


class StripeDraftActivities:
    """Fills and voids drafts, keeps Stripe from finalizing them, and fetches invoices whose owner is unknown."""

    def __init__(
        self, client: StripeClient, mode: Mode | None = None, account_key: str = stripe_metadata.ATTRIBUTION_ID
    ) -> None:
        """`account_key`: the metadata key under which an invoice that others made can name its account."""
        self._invoices = client.v1.invoices
        self._mode: Mode | None = mode
        self._account_key = account_key
        self._gateway = StripeInvoices(client, mode)

    @activity.defn(name=Activities.FILL_STRIPE_DRAFT)
    async def fill(self, order: StripeInvoiceOrder) -> StripeInvoiceCreated:
        """Make an existing draft hold exactly our lines and metadata; lines that are not ours stay.

        Returns `too_late` if Stripe's own draft was finalized, or is gone, before it had any line of ours.

        Raises:
            ApplicationError: non-retryable if it was finalized with other lines of ours.
        """
        ref = _ref(order)
        async with stripe_step() as made:
            found = await self._gateway.fetch(ref)
            made.append(_made(order, found))
            if found.status == "draft":
                await self._remove_stale(order, found)
                await self._add_missing(order, found)
                await self._gateway.announce(order, found)
                found = await self._gateway.fetch(ref)
            elif (other := other_report(order, {"metadata": found.metadata})) is not None:
                return made[0].model_copy(update={"other_report": other, "status": found.status})
            elif not any(line.line_id.startswith(f"{order.invoice_key}#") for line in found.lines):
                return made[0].model_copy(update={"too_late": True})
            check_draft(ref, found)
            return made[0]

    async def _remove_stale(self, order: StripeInvoiceOrder, found: StripeInvoiceSnapshot) -> None:
        wanted = {(line.line_id, line.amount) for line in order.lines}
        stale = [
            line.stripe_line_id
            for line in found.lines
            if line.line_id.startswith(f"{order.invoice_key}#") and (line.line_id, line.amount) not in wanted
        ]
        await self._remove(found.stripe_invoice_id, stale)

    async def _remove(self, stripe_invoice_id: str, line_ids: list[str]) -> None:
        """Remove these lines. No keys: the step has just fetched the draft, and does not name a removed line again."""
        for start in range(0, len(line_ids), LINES_A_REQUEST):
            chunk = sorted(line_ids)[start : start + LINES_A_REQUEST]
            lines: Any = [{"id": line_id, "behavior": "delete"} for line_id in chunk]
            await self._invoices.remove_lines_async(stripe_invoice_id, {"lines": lines})

    async def _add_missing(self, order: StripeInvoiceOrder, found: StripeInvoiceSnapshot) -> None:
        async def post(after: tuple[str, ...]) -> None:
            await self._add(order, found, after)

        async def find_made(_: bool) -> None:
            nonlocal found
            found = await self._gateway.fetch(_ref(order))

        await post_once(post, find_made)

    async def _add(self, order: StripeInvoiceOrder, found: StripeInvoiceSnapshot, after: tuple[str, ...]) -> None:
        """Add the lines that the draft lacks."""
        present = {(line.line_id, line.amount) for line in found.lines}
        missing = [line for line in order.lines if (line.line_id, line.amount) not in present]
        # The present lines are part of the key, so that a line that a person removed can be added again.
        there = sorted(line.stripe_line_id for line in found.lines)
        for start in range(0, len(missing), LINES_A_REQUEST):
            chunk = missing[start : start + LINES_A_REQUEST]
            wanted = [(line.line_id, line.amount) for line in chunk]
            which = hashlib.sha256(repr((wanted, there)).encode()).hexdigest()[:16]
            parts = (order.invoice_key, str(order.generation), str(order.revision), found.stripe_invoice_id)
            lines: Any = [line_params(line) for line in chunk]
            options = keyed(*parts, f"lines {which}", *after)
            await self._invoices.add_lines_async(found.stripe_invoice_id, {"lines": lines}, options)

    @activity.defn(name=Activities.HOLD_STRIPE_DRAFT)
    async def hold(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        """Keep Stripe from finalizing the draft by itself; an invoice that is no longer a draft stays unchanged."""
        async with stripe_step():
            found = await self._gateway.fetch(ref)
            if found.status == "draft" and not is_kept_off(ref, found):
                # No key: the update can be repeated, and must be after `announce` has allowed Stripe to finalize.
                off: Any = {stripe_metadata.ADVANCE: stripe_metadata.ADVANCE_OFF}
                await self._invoices.update_async(ref.stripe_invoice_id, {"auto_advance": False, "metadata": off})
                found = await self._gateway.fetch(ref)
            return found

    @activity.defn(name=Activities.LOOK_UP_STRIPE_INVOICE)
    async def identify(self, ref: IdentifyStripeInvoice) -> StripeInvoiceSnapshot:
        """Fetch any invoice, ours or not; its status is `deleted` if Stripe does not have it."""
        async with stripe_step():
            try:
                found = as_dict(await self._invoices.retrieve_async(ref.stripe_invoice_id))
            except stripe.InvalidRequestError as error:
                if not is_missing(error):
                    raise
                return StripeInvoiceSnapshot(stripe_invoice_id=ref.stripe_invoice_id, status="deleted")
            check_mode(self._mode, found)
            named = metadata_of(found).get(self._account_key)
            return snapshot(found, []).model_copy(update={"attribution_id": named})

    @activity.defn(name=Activities.VOID_STRIPE_INVOICE)
    async def void(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        """Delete the draft or void the invoice; from a subscription's draft, remove only our lines.

        Without an id, Stripe's invoice is found by its key: one step may have made it, and been lost.

        Raises:
            ApplicationError: non-retryable if it was paid meanwhile.
        """
        async with stripe_step() as made:
            if ref.stripe_invoice_id == "":
                ref = ref.model_copy(update={"stripe_invoice_id": await self._made_by_key(ref)})
                if ref.stripe_invoice_id == "":
                    return StripeInvoiceSnapshot(stripe_invoice_id="", status="deleted")
                made.append(_created(ref))
            found = await self._gateway.fetch(ref)
            if found.status == "paid":
                raise StripeRefusedError(
                    f"{ref.stripe_invoice_id} was paid meanwhile: credit it by `perdure invoices credit`"
                )
            if ref.charge_on is ChargeOn.SUBSCRIPTION:
                return await self._take_away(ref, found)
            # No keys: the step has just fetched the invoice, and an invoice that is already gone needs nothing.
            if found.status == "draft":
                await self._invoices.delete_async(ref.stripe_invoice_id)
            elif found.status in ("open", "uncollectible"):
                await self._invoices.void_invoice_async(ref.stripe_invoice_id)
            return await self._gateway.fetch(ref)

    async def _made_by_key(self, ref: StripeInvoiceRef) -> str:
        """Return the id of the customer's invoice with this key that is not void; empty if there is none.

        Stripe refuses to list the invoices of a customer that it does not know, which can have none. But a key of
        another Stripe account knows none of our customers: a person has to see the refusal first.
        """
        assert ref.stripe_customer_id is not None
        try:
            found = await self._gateway.find(ref.stripe_customer_id, ref.invoice_key)
        except stripe.InvalidRequestError as error:
            if code_of(error) != "resource_missing":
                raise
            if ref.blocked:
                return ""
            raise StripeRefusedError(
                f"Stripe: {error.user_message or error}. If STRIPE_API_KEY is of the right account, void it once more"
            ) from error
        return next((str(each["id"]) for each in found if each["status"] != "void"), "")

    async def _take_away(self, ref: StripeInvoiceRef, found: StripeInvoiceSnapshot) -> StripeInvoiceSnapshot:
        if found.status == "draft":
            ours = [line.stripe_line_id for line in found.lines if line.line_id.startswith(f"{ref.invoice_key}#")]
            await self._remove(ref.stripe_invoice_id, ours)
            params: Any = {"metadata": dict.fromkeys((*stripe_metadata.OF_AN_INVOICE, stripe_metadata.ADVANCE), "")}
            if not is_kept_off(ref, found):
                params["auto_advance"] = True  # as Stripe intended, with only the base fee
            await self._invoices.update_async(ref.stripe_invoice_id, params)
        elif found.status not in ("deleted", "void"):
            raise StripeRefusedError(f"{ref.stripe_invoice_id} was finalized meanwhile: credit our lines instead")
        return found.model_copy(update={"status": "deleted"})


def _ref(order: StripeInvoiceOrder) -> StripeInvoiceRef:
    assert order.stripe_invoice_id is not None
    return StripeInvoiceRef(
        invoice_key=order.invoice_key,
        stripe_invoice_id=order.stripe_invoice_id,
        stripe_customer_id=order.stripe_customer_id,
        generation=order.generation,
        currency=order.currency,
        amount=order.amount,
        lines_digest=lines_digest((line.line_id, line.amount) for line in order.lines),
        charge_on=order.charge_on,
        finalization=order.finalization,
        pauses=order.pauses,
    )


def _created(ref: StripeInvoiceRef) -> StripeInvoiceCreated:
    return StripeInvoiceCreated(
        invoice_key=ref.invoice_key,
        stripe_invoice_id=ref.stripe_invoice_id,
        stripe_customer_id=ref.stripe_customer_id or "",
    )


def _made(order: StripeInvoiceOrder, found: StripeInvoiceSnapshot) -> StripeInvoiceCreated:
    return StripeInvoiceCreated(
        invoice_key=order.invoice_key,
        stripe_invoice_id=found.stripe_invoice_id,
        stripe_customer_id=found.stripe_customer_id or order.stripe_customer_id or "",
    )
