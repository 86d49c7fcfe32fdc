"""Stripe's invoices: created exactly once, finalized, fetched. See docs/adr/0005."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.account.rate import Pace
from activities.stripe.client import as_dict, keyed, metadata_of
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import VERIFIED_FOR, StripeInvoices, key_may_be_gone, post_once
from activities.stripe.invoice_data import (
    check_draft,
    found_finalized,
    other_report,
    snapshot,
    stripe_invoice_created,
)
from activities.stripe.invoicing.requests import InvoiceRequests, chunks_of
from activities.stripe.mode import Mode
from billing.errors import MismatchError, StripeRefusedError
from billing.invoice.policy import ChargeOn
from contracts import stripe_metadata
from contracts.messages.invoices import (
    StripeInvoiceCreated,
    StripeInvoiceOrder,
    StripeInvoiceRef,
    StripeInvoiceSnapshot,
)
from contracts.names import Activities
from reconciliation.figures import lines_digest
from reconciliation.stripe_lines import MOST_LINES

_FINALIZED_FIRST = {"paid": 0, "open": 1, "uncollectible": 2, "draft": 3, "void": 4}


class StripeInvoiceActivities:
    """Creates, finalizes and fetches invoices."""

    def __init__(self, client: StripeClient, mode: Mode | None = None, pace: Pace | None = None) -> None:
        self._invoices = client.v1.invoices
        self._requests = InvoiceRequests(client, pace)
        self._gateway = StripeInvoices(client, mode)

    @activity.defn(name=Activities.CREATE_STRIPE_INVOICE)
    async def create(self, order: StripeInvoiceOrder) -> StripeInvoiceCreated:
        """Create the invoice with its lines, or find the invoice that an earlier attempt created.

        Raises:
            ApplicationError: non-retryable if Stripe refuses, or the subtotal or currency is not ours; its detail is
                a `StripeInvoiceCreated` if the Stripe invoice exists nevertheless.
        """
        async with stripe_step() as made:
            if len(order.lines) > MOST_LINES:
                raise StripeRefusedError(f"{len(order.lines)} lines: Stripe allows {MOST_LINES} per invoice")
            found = None
            if order.replaces is not None:
                await self._discard(order)
            if key_may_be_gone(order.generation, order.cutoff):
                found = await self._find(order, made)
            invoice, new = (found, False) if found else await self._create(order, made)
            made.append(stripe_invoice_created(order, invoice))
            if (other := other_report(order, invoice)) is not None:
                return made[0].model_copy(update={"other_report": other, "status": invoice["status"]})
            if invoice["status"] == "draft":
                await self._correct_metadata(order, invoice)
                present = set() if new else await self._line_ids(invoice["id"])
                invoice = await self._complete(order, invoice, present)
            await self._check(order, invoice)
            if order.auto_advance and invoice["status"] == "draft":
                await self._gateway.announce(order, snapshot(invoice, []))
            return made[0]

    async def _check(self, order: StripeInvoiceOrder, invoice: dict[str, Any]) -> None:
        if (invoice["currency"], invoice["subtotal"]) == (order.currency, order.amount):
            return
        lines = lines_digest((line.line_id, line.amount) for line in order.lines)
        ref = StripeInvoiceRef(
            invoice_key=order.invoice_key,
            stripe_invoice_id=invoice["id"],
            currency=order.currency,
            amount=order.amount,
            lines_digest=lines,
        )
        check_draft(ref, snapshot(invoice, await self._gateway.list_lines(invoice["id"])))

    async def _discard(self, order: StripeInvoiceOrder) -> None:
        """Remove the predecessor that a person edited."""
        assert order.replaces is not None
        ref = StripeInvoiceRef(
            invoice_key=order.invoice_key,
            stripe_invoice_id=order.replaces,
            stripe_customer_id=order.stripe_customer_id,
        )
        found = await self._gateway.fetch(ref)
        if found.status == "paid":
            raise StripeRefusedError(f"{order.replaces} is paid and cannot be rebuilt: credit it in Stripe")
        if found.status not in ("deleted", "void"):
            await self._remove(order.invoice_key, {"id": order.replaces, "status": found.status})

    @activity.defn(name=Activities.FINALIZE_STRIPE_INVOICE)
    async def finalize(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        """Finalize the draft, which charges the customer; an invoice that is no longer a draft stays unchanged.

        Raises:
            ApplicationError: non-retryable if somebody edited the draft: its lines are not ours; or if a person holds
                it in Stripe, or collection of the customer's subscription is paused.
        """
        async with stripe_step():
            if not _just_verified(ref):
                fetched = await self._gateway.fetch(ref)
                if fetched.status != "draft":
                    return found_finalized(fetched)
                if ref.report_id and fetched.metadata.get(stripe_metadata.REPORT_ID, ref.report_id) != ref.report_id:
                    return found_finalized(fetched)  # Postgres may have lost it: reconciliation adopts it
                await self._gateway.check_released(ref, fetched)
                check_draft(ref, fetched)
            return await self._finalize(ref)

    @activity.defn(name=Activities.RETRIEVE_STRIPE_INVOICE)
    async def retrieve(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        """Fetch the invoice with all its lines, and why it is held; its status is `deleted` if it is gone.

        Raises:
            ApplicationError: retryable, of type StripeCredentials, if the key does not even see its customer;
                non-retryable if the invoice is of the other mode than STRIPE_MODE.
        """
        async with stripe_step():
            found = await self._gateway.fetch(ref)
            return found.model_copy(update={"hold": await self._gateway.hold_of(ref, found)})

    async def _finalize(self, ref: StripeInvoiceRef) -> StripeInvoiceSnapshot:
        async def post(after: tuple[str, ...]) -> StripeInvoiceSnapshot:
            return snapshot((await self._requests.finalize(ref, after)).invoice, [])

        async def find_made(again: bool) -> StripeInvoiceSnapshot | None:
            fetched = await self._gateway.fetch(ref)
            if fetched.status != "draft":
                return found_finalized(fetched)
            if again:
                check_draft(ref, fetched)
            return None

        return await post_once(post, find_made, stripe.InvalidRequestError)

    async def _create(self, order: StripeInvoiceOrder, made: list[StripeInvoiceCreated]) -> tuple[dict[str, Any], bool]:
        """Create the invoice. Returns it, and whether this request created it: then it has no lines yet."""

        async def post(after: tuple[str, ...]) -> tuple[dict[str, Any], bool]:
            return (await self._requests.create(order, after)).invoice, True

        async def find_made(_: bool) -> tuple[dict[str, Any], bool] | None:
            found = await self._find(order, made)
            return None if found is None else (found, False)

        # The key's first use had other parameters, or failed in Stripe: either may have created an invoice.
        return await post_once(post, find_made, stripe.IdempotencyError)

    async def _find(self, order: StripeInvoiceOrder, made: list[StripeInvoiceCreated]) -> dict[str, Any] | None:
        """Find the invoice that an earlier attempt created.

        Of several, a finalized invoice is kept, else the oldest; other drafts are deleted, open invoices voided.

        Raises:
            MismatchError: more than one was paid. The customer paid twice: a person must decide what to refund.
        """
        assert order.stripe_customer_id is not None
        found_all = await self._gateway.find(order.stripe_customer_id, order.invoice_key)
        matches = [found for found in found_all if found["id"] != order.replaces]
        matches.sort(key=lambda found: (_FINALIZED_FIRST.get(found["status"], 9), found["created"]))
        paid = [found["id"] for found in matches if found["status"] == "paid"]
        if len(paid) > 1:
            made.append(stripe_invoice_created(order, matches[0]))
            raise MismatchError(
                f"{order.invoice_key} is paid more than once in Stripe, by {', '.join(paid)}: refund all but one, "
                f"and remove the metadata {stripe_metadata.INVOICE} from those"
            )
        for superfluous in matches[1:]:
            await self._remove(order.invoice_key, superfluous)
        return matches[0] if matches else None

    async def _remove(self, invoice_key: str, invoice: dict[str, Any]) -> None:
        activity.logger.error("invoice %s exists twice in Stripe: removing %s", invoice_key, invoice["id"])
        options = keyed(invoice_key, "remove", invoice["id"])
        if invoice["status"] == "draft":
            await self._invoices.delete_async(invoice["id"], options=options)
        elif invoice["status"] in ("open", "uncollectible"):
            await self._invoices.void_invoice_async(invoice["id"], options=options)

    async def _correct_metadata(self, order: StripeInvoiceOrder, invoice: dict[str, Any]) -> None:
        """Correct the metadata of a found draft: it may name an older report, for example from before a restore."""
        present = metadata_of(invoice)
        if all(present.get(key) == value for key, value in order.metadata.items()):
            return
        which = order.metadata.get(stripe_metadata.REPORT_ID, "").rpartition("/")[2]

        async def post(after: tuple[str, ...]) -> None:
            options = keyed(order.invoice_key, str(order.generation), invoice["id"], "metadata", which, *after)
            await self._invoices.update_async(invoice["id"], {"metadata": order.metadata}, options)

        await post_once(post)

    async def _complete(self, order: StripeInvoiceOrder, invoice: dict[str, Any], present: set[str]) -> dict[str, Any]:
        """Add the missing lines; return the invoice."""

        async def post(after: tuple[str, ...]) -> dict[str, Any]:
            return await self._add_lines(order, invoice, present, after)

        async def find_made(_: bool) -> None:
            nonlocal present
            present = await self._line_ids(invoice["id"])

        return await post_once(post, find_made)

    async def _add_lines(
        self, order: StripeInvoiceOrder, invoice: dict[str, Any], present: set[str], after: tuple[str, ...]
    ) -> dict[str, Any]:
        missing = [line for line in order.lines if line.line_id not in present]
        if not missing:
            return as_dict(await self._invoices.retrieve_async(invoice["id"]))
        for chunk in chunks_of(missing):
            invoice = (await self._requests.add_lines(order, invoice["id"], chunk, after)).invoice
        return invoice

    async def _line_ids(self, stripe_invoice_id: str) -> set[str]:
        lines = await self._gateway.list_lines(stripe_invoice_id)
        return {metadata_of(line).get(stripe_metadata.LINE, "") for line in lines}


def _just_verified(ref: StripeInvoiceRef) -> bool:
    """Whether the draft was compared recently and nothing has failed since, so that another fetch is a waste.

    A person can hold a subscription's draft as long as it exists, and Stripe knows best whether a pause has ended.
    """
    if ref.verified_at is None or activity.info().attempt > 1:
        return False
    if ref.charge_on is ChargeOn.SUBSCRIPTION or ref.paused_subscription is not None or ref.pauses:
        return False
    return abs(datetime.now(UTC) - ref.verified_at) < VERIFIED_FOR
