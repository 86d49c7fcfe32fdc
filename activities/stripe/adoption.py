"""Stripe's invoices that name keys of ours, whether or not Postgres has them."""

from __future__ import annotations

from typing import Any

from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, metadata_of
from activities.stripe.errors import stripe_step
from activities.stripe.mode import Mode, check_mode
from contracts import stripe_metadata
from contracts.messages.recovery import AdoptReport, ListStripeInvoices, StripeInvoicesPage
from contracts.names import Activities

_PAGE = 100


class StripeAdoptionActivities:
    """Lists invoices of all customers."""

    def __init__(self, client: StripeClient, mode: Mode | None = None) -> None:
        self._invoices = client.v1.invoices
        self._mode: Mode | None = mode

    @activity.defn(name=Activities.LIST_ADOPTABLE_INVOICES)
    async def list_invoices(self, order: ListStripeInvoices) -> StripeInvoicesPage:
        """List a page of the invoices created since then, newest first; Stripe's list is consistent: none is missed.

        Raises:
            ApplicationError: non-retryable if an invoice is of the other mode than STRIPE_MODE.
        """
        params: dict[str, Any] = {"limit": _PAGE, "created": {"gte": int(order.since.timestamp())}}
        if order.after is not None:
            params["starting_after"] = order.after
        async with stripe_step():
            page = await self._invoices.list_async(params)  # type: ignore[arg-type]
            found = [as_dict(invoice) for invoice in page.data]
            for invoice in found:
                check_mode(self._mode, invoice)
            return StripeInvoicesPage(
                invoices=[named for invoice in found if (named := _named(invoice)) is not None],
                seen=len(found),
                after=found[-1]["id"] if page.has_more else None,
            )


def _named(invoice: dict[str, Any]) -> AdoptReport | None:
    metadata = metadata_of(invoice)
    key, report = metadata.get(stripe_metadata.INVOICE), metadata.get(stripe_metadata.REPORT_ID)
    if not key or not report:
        return None
    return AdoptReport(
        invoice_key=key,
        report_id=report,
        stripe_invoice_id=invoice["id"],
        status=invoice["status"],
        stripe_customer_id=invoice["customer"],
    )
