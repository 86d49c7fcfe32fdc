"""Stripe's credit notes: created exactly once, and listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant, keyed, metadata_of
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import StripeInvoices, all_of, key_may_be_gone, post_once
from billing.errors import MismatchError
from billing.invoice.credit_notes import CreditDestination, post_payment_part
from contracts import stripe_metadata
from contracts.messages.credit_notes import (
    CreditNoteMade,
    CreditNoteOrder,
    StripeCreditNoteSnapshot,
    StripeInvoiceCreditNotes,
    StripeInvoiceNotes,
)
from contracts.names import Activities

_CREDITS_TO = {
    CreditDestination.BALANCE: "credit_amount",
    CreditDestination.REFUND: "refund_amount",
    CreditDestination.OUT_OF_BAND: "out_of_band_amount",
}


class StripeCreditNoteActivities:
    """Creates and lists credit notes."""

    def __init__(self, client: StripeClient) -> None:
        self._notes = client.v1.credit_notes
        self._invoices = client.v1.invoices
        self._gateway = StripeInvoices(client)

    @activity.defn(name=Activities.CREATE_STRIPE_CREDIT_NOTE)
    async def create(self, order: CreditNoteOrder) -> CreditNoteMade:
        """Create the credit note, or find the credit note that an earlier attempt created.

        Raises:
            ApplicationError: non-retryable if Stripe refuses: more than is left, or nothing to refund, for example.
        """
        async with stripe_step():
            found = None
            # No credit note is older than its invoice's finalization.
            if key_may_be_gone(order.generation, order.not_before):
                found = await self._find(order)
            note = found or await self._create(order)
            return CreditNoteMade(
                credit_note_key=order.credit_note_key,
                stripe_credit_note_id=note["id"],
                issued_at=datetime.fromtimestamp(note["created"], UTC),
            )

    @activity.defn(name=Activities.LIST_STRIPE_CREDIT_NOTES)
    async def list_all(self, notes: StripeInvoiceNotes) -> StripeInvoiceCreditNotes:
        """List all credit notes of an invoice."""
        async with stripe_step():
            listed = await self._list(notes.stripe_invoice_id)
            return StripeInvoiceCreditNotes(
                stripe_invoice_id=notes.stripe_invoice_id, credit_notes=[snapshot(note) for note in listed]
            )

    async def _create(self, order: CreditNoteOrder) -> dict[str, Any]:
        params = await self._params(order)

        async def post(after: tuple[str, ...]) -> dict[str, Any]:
            key = keyed(order.credit_note_key, str(order.generation), "create", *after)
            return as_dict(await self._notes.create_async(params, key))  # type: ignore[arg-type]

        async def find_made(again: bool) -> dict[str, Any] | None:
            nonlocal params
            found = await self._find(order)
            if found is None and again:
                params = await self._params(order)
            return found

        # The key's first use failed in Stripe; or it had other parameters, as the remaining amount was different
        # then; or it succeeded, and nothing is left to credit: each may have created the credit note.
        return await post_once(post, find_made, stripe.InvalidRequestError, stripe.IdempotencyError)

    async def _params(self, order: CreditNoteOrder) -> dict[str, Any]:
        invoice = as_dict(await self._invoices.retrieve_async(order.stripe_invoice_id))
        params: dict[str, Any] = {
            "invoice": order.stripe_invoice_id,
            "memo": order.memo,
            "metadata": {
                stripe_metadata.CREDIT_NOTE: order.credit_note_key,
                stripe_metadata.INVOICE: order.invoice_key,
            },
        }
        lines = await self._lines(order)
        params |= {"lines": lines} if lines else {"amount": order.amount}
        paid = post_payment_part(order.amount, invoice["status"], invoice["amount_remaining"])
        return {**params, _CREDITS_TO[order.settle_to]: paid} if paid else params

    async def _lines(self, order: CreditNoteOrder) -> list[dict[str, Any]]:
        """Return the parts as Stripe's lines; none if they do not match one to one: then the amount is credited."""
        if not order.parts:
            return []
        ids: dict[str, list[str]] = {}
        for line in await self._gateway.list_lines(order.stripe_invoice_id):
            ids.setdefault(metadata_of(line).get(stripe_metadata.LINE, ""), []).append(line["id"])
        if any(len(ids.get(part.line_id, ())) != 1 for part in order.parts):
            return []
        return [
            {"type": "invoice_line_item", "invoice_line_item": ids[part.line_id][0], "amount": part.amount}
            for part in order.parts
        ]

    async def _find(self, order: CreditNoteOrder) -> dict[str, Any] | None:
        """Find ours in the invoice's list of credit notes, which is strongly consistent; a voided one counts too.

        Raises:
            MismatchError: there are several. The customer was credited twice: a person must decide.
        """
        matches = [note for note in await self._list(order.stripe_invoice_id) if _key(note) == order.credit_note_key]
        if len(matches) > 1:
            raise MismatchError(
                f"{order.credit_note_key} is in Stripe more than once: {', '.join(note['id'] for note in matches)}; "
                f"void all but one, if Stripe allows it, and remove their metadata {stripe_metadata.CREDIT_NOTE}"
            )
        return matches[0] if matches else None

    async def _list(self, stripe_invoice_id: str) -> list[dict[str, Any]]:
        return await all_of(await self._notes.list_async({"invoice": stripe_invoice_id, "limit": 100}))


def snapshot(note: dict[str, Any]) -> StripeCreditNoteSnapshot:
    """Return Stripe's credit note as our message."""
    created = datetime.fromtimestamp(note["created"], UTC)
    voided_at = instant(note.get("voided_at"))
    settle_to = CreditDestination.BALANCE
    if note.get("refunds"):
        settle_to = CreditDestination.REFUND
    elif note.get("out_of_band_amount"):
        settle_to = CreditDestination.OUT_OF_BAND
    return StripeCreditNoteSnapshot(
        stripe_credit_note_id=note["id"],
        credit_note_key=_key(note),
        amount=_amount_of(note),
        settle_to=settle_to,
        reason=note.get("memo") or note.get("reason") or "made in Stripe",
        issued_at=created,
        voided_at=voided_at or created if note["status"] == "void" else None,
        stripe_refund_ids=refunds_of(note),
    )


def _amount_of(note: dict[str, Any]) -> int:
    """Return what a credit note takes off the usage: its total before tax and before the discounts of its lines."""
    before_tax = note.get("total_excluding_tax")
    return int(note["total"] if before_tax is None else before_tax) + int(note.get("discount_amount") or 0)


def refunds_of(note: dict[str, Any]) -> list[str]:
    """Return the ids of the refunds that a credit note names."""
    named = [each.get("refund") for each in note.get("refunds") or []]
    ids = [each["id"] if isinstance(each, dict) else each for each in named]
    return [each for each in ids if isinstance(each, str)]


def _key(note: dict[str, Any]) -> str | None:
    return metadata_of(note).get(stripe_metadata.CREDIT_NOTE)
