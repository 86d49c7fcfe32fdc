"""Stripe's disputes, and the invoices that the disputed payments paid."""

from __future__ import annotations

from typing import Any

from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import all_of
from activities.stripe.mode import Mode, check_mode
from contracts.messages.disputes import DisputeRef, DisputeSnapshot
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
            return DisputeSnapshot(
                stripe_dispute_id=dispute["id"],
                stripe_invoice_ids=await self._invoices(dispute),
                amount=dispute["amount"],
                currency=dispute["currency"],
                reason=dispute["reason"],
                status=dispute["status"],
                opened_at=opened_at,
            )

    async def _invoices(self, dispute: dict[str, Any]) -> list[str]:
        """List the disputed invoices by payment intent, which a dispute names itself or through its charge."""
        intent = _id(dispute.get("payment_intent"))
        if intent is None and (charge := _id(dispute.get("charge"))) is not None:
            intent = _id(as_dict(await self._client.charges.retrieve_async(charge)).get("payment_intent"))
        if intent is None:
            return []
        page = await self._client.invoice_payments.list_async(
            {"payment": {"type": "payment_intent", "payment_intent": intent}, "limit": 100}
        )
        found = [_id(payment.get("invoice")) for payment in await all_of(page)]
        return sorted({invoice for invoice in found if invoice is not None})


def _id(named: object) -> str | None:
    """Return the id of an object that Stripe may have expanded."""
    found = named.get("id") if isinstance(named, dict) else named
    return found if isinstance(found, str) else None
