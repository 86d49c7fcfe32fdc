"""Stripe's disputes and refunds, and the invoices that the disputed or refunded payments paid."""

from __future__ import annotations

from typing import Any

from stripe import InvoicePaymentService, StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant, metadata_of
from activities.stripe.credit_notes import refunds_of
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import all_of
from activities.stripe.mode import Mode, check_mode
from contracts import stripe_metadata
from contracts.messages.payments import DisputeRef, DisputeSnapshot, PaymentRefunds, RefundSnapshot, RefundsRef
from contracts.names import Activities


class StripeDisputeActivities:
    """Fetches disputes."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._client = client.v1
        self._mode = mode

    @activity.defn(name=Activities.RETRIEVE_DISPUTE)
    async def retrieve(self, ref: DisputeRef) -> DisputeSnapshot:
        """Fetch the dispute, with the invoices that the disputed payment paid.

        Raises:
            ApplicationError: non-retryable if Stripe refuses, or the dispute is of the other mode than STRIPE_MODE.
        """
        async with stripe_step():
            dispute = as_dict(await self._client.disputes.retrieve_async(ref.stripe_dispute_id))
            check_mode(self._mode, dispute)
            opened_at = instant(dispute["created"])
            assert opened_at is not None
            paid = await self._invoices(dispute)
            return DisputeSnapshot(
                stripe_dispute_id=dispute["id"],
                stripe_invoice_ids=sorted(paid),
                invoice_keys=_keys(paid),
                amount=dispute["amount"],
                currency=dispute["currency"],
                reason=dispute["reason"],
                status=dispute["status"],
                opened_at=opened_at,
            )

    async def _invoices(self, dispute: dict[str, Any]) -> dict[str, str | None]:
        """Return, as `_paid_by`, those of its payment intent, which a dispute names itself or through its charge."""
        intent = _id(dispute.get("payment_intent"))
        if intent is None and (charge := _id(dispute.get("charge"))) is not None:
            intent = _id(as_dict(await self._client.charges.retrieve_async(charge)).get("payment_intent"))
        return await _paid_by(self._client.invoice_payments, intent)


class StripeRefundActivities:
    """Lists refunds."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._client = client.v1
        self._mode = mode

    @activity.defn(name=Activities.LIST_REFUNDS)
    async def list_all(self, ref: RefundsRef) -> PaymentRefunds:
        """List all refunds of a charge, with the credit notes that they belong to and the invoices that it paid.

        Raises:
            ApplicationError: non-retryable if Stripe refuses, or the charge is of the other mode than STRIPE_MODE.
        """
        async with stripe_step():
            payment = await self._payment(ref)
            if not payment:
                return PaymentRefunds(stripe_invoice_ids=[], refunds=[])
            await self._check_mode(payment)
            page = await self._client.refunds.list_async({**payment, "limit": 100})  # type: ignore[arg-type]
            listed = await all_of(page)
            intents = {_id(refund.get("payment_intent")) for refund in listed}
            paid = await _paid_by(self._client.invoice_payments, next(iter(intents - {None}), None))
            notes = await self._credit_notes(sorted(paid))
        return PaymentRefunds(
            stripe_invoice_ids=sorted(paid),
            invoice_keys=_keys(paid),
            refunds=[_refund(refund, notes.get(refund["id"])) for refund in listed],
        )

    async def _payment(self, ref: RefundsRef) -> dict[str, str]:
        """Return the charge, or else the payment intent, by which the refunds are listed; empty if there is neither."""
        if ref.stripe_charge_id is not None:
            return {"charge": ref.stripe_charge_id}
        assert ref.stripe_refund_id is not None
        refund = as_dict(await self._client.refunds.retrieve_async(ref.stripe_refund_id))
        for name in ("charge", "payment_intent"):
            if (found := _id(refund.get(name))) is not None:
                return {name: found}
        return {}

    async def _check_mode(self, payment: dict[str, str]) -> None:
        """Refuse a payment of the other mode: a refund itself does not say its mode, its charge does."""
        if self._mode is not None and (charge := payment.get("charge")) is not None:
            check_mode(self._mode, as_dict(await self._client.charges.retrieve_async(charge)))

    async def _credit_notes(self, invoices: list[str]) -> dict[str, str]:
        """Return the credit notes of these invoices by the refunds that they name."""
        found = {}
        for invoice in invoices:
            for note in await all_of(await self._client.credit_notes.list_async({"invoice": invoice, "limit": 100})):
                found.update(dict.fromkeys(refunds_of(note), note["id"]))
        return found


def _refund(refund: dict[str, Any], credit_note: str | None) -> RefundSnapshot:
    created_at = instant(refund["created"])
    assert created_at is not None
    return RefundSnapshot(
        stripe_refund_id=refund["id"],
        stripe_credit_note_id=credit_note,
        amount=refund["amount"],
        currency=refund["currency"],
        status=refund.get("status") or "",
        reason=refund.get("reason") or "",
        created_at=created_at,
    )


async def _paid_by(payments: InvoicePaymentService, intent: str | None) -> dict[str, str | None]:
    """Return the ids of the invoices that a payment intent paid, each with the key of ours that its metadata names."""
    if intent is None:
        return {}
    payment: Any = {"type": "payment_intent", "payment_intent": intent}
    page = await payments.list_async({"payment": payment, "limit": 100, "expand": ["data.invoice"]})
    found = {_id(each.get("invoice")): each.get("invoice") for each in await all_of(page)}
    return {
        name: metadata_of(invoice).get(stripe_metadata.INVOICE) if isinstance(invoice, dict) else None
        for name, invoice in found.items()
        if name is not None
    }


def _keys(paid: dict[str, str | None]) -> list[str]:
    return sorted({key for key in paid.values() if key is not None})


def _id(named: object) -> str | None:
    """Return the id of an object that Stripe may have expanded."""
    found = named.get("id") if isinstance(named, dict) else named
    return found if isinstance(found, str) else None
