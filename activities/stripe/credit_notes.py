"""Stripe's credit notes: created exactly once, and listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant, keyed, metadata_of
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import StripeInvoices, all_of, key_may_be_gone, post_once
from billing.errors import MismatchError
from billing.invoice.credit_notes import CreditDestination, creditable, without_tax_inside
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
_REST = "Rest of the invoice's tax, from rounding"


class StripeCreditNoteActivities:
    """Creates and lists credit notes."""

    def __init__(self, client: StripeClient) -> None:
        self._notes = client.v1.credit_notes
        self._requests = CreditRequests(client)

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
                total=note["total"],
            )

    @activity.defn(name=Activities.LIST_STRIPE_CREDIT_NOTES)
    async def list_all(self, notes: StripeInvoiceNotes) -> StripeInvoiceCreditNotes:
        """List all credit notes of an invoice."""
        async with stripe_step():
            listed = await self._requests.notes_of(notes.stripe_invoice_id)
            return StripeInvoiceCreditNotes(
                stripe_invoice_id=notes.stripe_invoice_id, credit_notes=[snapshot(note) for note in listed]
            )

    async def _create(self, order: CreditNoteOrder) -> dict[str, Any]:
        async def post(after: tuple[str, ...]) -> dict[str, Any]:
            params = await self._requests.params(order)
            key = keyed(order.credit_note_key, str(order.generation), "create", *after)
            return as_dict(await self._notes.create_async(params, key))  # type: ignore[arg-type]

        async def find_made(_again: bool) -> dict[str, Any] | None:
            return await self._find(order)

        # The key's first use failed in Stripe; or it had other parameters, as the remaining amount was different
        # then; or it succeeded, and too little is left for a preview: each may have created the credit note.
        return await post_once(post, find_made, stripe.InvalidRequestError, stripe.IdempotencyError)

    async def _find(self, order: CreditNoteOrder) -> dict[str, Any] | None:
        """Find ours in the invoice's list of credit notes, which is strongly consistent; a voided one counts too.

        Raises:
            MismatchError: there are several. The customer was credited twice: a person must decide.
        """
        listed = await self._requests.notes_of(order.stripe_invoice_id)
        matches = [note for note in listed if _key(note) == order.credit_note_key]
        if len(matches) > 1:
            raise MismatchError(
                f"{order.credit_note_key} is in Stripe more than once: {', '.join(note['id'] for note in matches)}; "
                f"void all but one, if Stripe allows it, and remove their metadata {stripe_metadata.CREDIT_NOTE}"
            )
        return matches[0] if matches else None


class CreditRequests:
    """Builds requests for credit notes; asks Stripe what they would come to, and creates nothing."""

    def __init__(self, client: StripeClient) -> None:
        self._notes = client.v1.credit_notes
        self._invoices = client.v1.invoices
        self._gateway = StripeInvoices(client)

    async def params(self, order: CreditNoteOrder) -> dict[str, Any]:
        """Return the parameters of the credit note. The last of an invoice takes what is left of Stripe's total.

        Raises:
            stripe.InvalidRequestError: Stripe would refuse it.
        """
        invoice = as_dict(await self._invoices.retrieve_async(order.stripe_invoice_id))
        notes = [note for note in await self.notes_of(order.stripe_invoice_id) if note["status"] == "issued"]
        left = invoice["total"] - sum(note["total"] for note in notes)
        last = order.amount == invoice["subtotal"] - sum(map(amount_of, notes))
        named = {
            "invoice": order.stripe_invoice_id,
            "memo": order.memo,
            "metadata": {
                stripe_metadata.CREDIT_NOTE: order.credit_note_key,
                stripe_metadata.CREDIT_AMOUNT: str(order.amount),
                stripe_metadata.INVOICE: order.invoice_key,
            },
        }
        lines = await self._lines(order, taxed=invoice["automatic_tax"]["enabled"])
        if lines and last:
            asked, seen = await self._all_that_is_left(named, lines, left)
        elif lines:
            asked, seen = await self._previewed({**named, "lines": lines})
        else:
            amount = left if last else min(left, _with_tax(order, invoice))
            asked, seen = await self._previewed({**named, "amount": amount})
        paid = seen["post_payment_amount"]
        return {**asked, _CREDITS_TO[order.settle_to]: paid} if paid else asked

    async def notes_of(self, stripe_invoice_id: str) -> list[dict[str, Any]]:
        """Return the invoice's credit notes, from the list: it is strongly consistent."""
        return await all_of(await self._notes.list_async({"invoice": stripe_invoice_id, "limit": 100}))

    async def _all_that_is_left(
        self, named: dict[str, Any], lines: Sequence[dict[str, Any]], left: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what credits these lines and comes to `left`, so that rounded taxes leave no cent of the invoice."""
        try:
            asked, seen = await self._previewed({**named, "lines": [*lines]})
            if seen["total"] < left:
                rest = {"type": "custom_line_item", "description": _REST, "quantity": 1}
                rest["unit_amount"] = left - seen["total"]
                asked, seen = await self._previewed({**named, "lines": [*lines, rest]})
            if seen["total"] == left:
                return asked, seen
        except stripe.InvalidRequestError:
            pass  # less is left than the lines come to, or the invoice takes no other lines: its total decides
        return await self._previewed({**named, "amount": left})

    async def _previewed(self, asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return asked, as_dict(await self._notes.preview_async(asked))  # type: ignore[arg-type]

    async def _lines(self, order: CreditNoteOrder, *, taxed: bool) -> list[dict[str, Any]]:
        """Return the parts as Stripe's lines; none if they do not match one to one: then the amount is credited."""
        if not order.parts:
            return []
        found: dict[str, list[dict[str, Any]]] = {}
        for line in await self._gateway.list_lines(order.stripe_invoice_id):
            found.setdefault(metadata_of(line).get(stripe_metadata.LINE, ""), []).append(line)
        if any(len(found.get(part.line_id, ())) != 1 for part in order.parts):
            return []
        matched = [(found[part.line_id][0], part.amount) for part in order.parts]
        return [
            {
                "type": "invoice_line_item",
                "invoice_line_item": line["id"],
                "amount": without_tax_inside(amount, line["amount"], _tax_inside(line) if taxed else 0),
            }
            for line, amount in matched
        ]


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
        amount=amount_of(note),
        total=note["total"],
        settle_to=settle_to,
        reason=note.get("memo") or note.get("reason") or "made in Stripe",
        issued_at=created,
        voided_at=voided_at or created if note["status"] == "void" else None,
        stripe_refund_ids=refunds_of(note),
    )


def refunds_of(note: dict[str, Any]) -> list[str]:
    """Return the ids of the refunds that a credit note names."""
    named = [each.get("refund") for each in note.get("refunds") or []]
    ids = [each["id"] if isinstance(each, dict) else each for each in named]
    return [each for each in ids if isinstance(each, str)]


def _key(note: dict[str, Any]) -> str | None:
    return metadata_of(note).get(stripe_metadata.CREDIT_NOTE)


def amount_of(note: dict[str, Any]) -> int:
    """Return what a credit note takes off the usage: before tax and before the discounts of its lines.

    Ours say so: the last of an invoice may have a line for the rounding of taxes, or no lines.
    """
    ours = metadata_of(note).get(stripe_metadata.CREDIT_AMOUNT, "")
    return int(ours) if ours.isdecimal() else int(note["subtotal"])


def _tax_inside(line: dict[str, Any]) -> int:
    return sum(tax["amount"] for tax in line.get("taxes") or [] if tax["tax_behavior"] == "inclusive")


def _with_tax(order: CreditNoteOrder, invoice: dict[str, Any]) -> int:
    """Return the amount with its share of the invoice's discounts and tax, rounded down."""
    if not invoice["subtotal"]:
        return order.amount
    return creditable(order.amount * invoice["total"] // invoice["subtotal"], order.currency)
