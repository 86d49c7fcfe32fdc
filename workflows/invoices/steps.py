"""The steps of an invoice between Postgres and Stripe: create or fill the draft, amend it, void it, compare it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import InvoiceState
    from billing.money import format_amount
    from contracts import search_attributes
    from contracts.messages.invoices import (
        Amended,
        CustomerFound,
        CustomerOrder,
        DraftMade,
        InvoiceBrief,
        InvoiceRef,
        LoadedInvoice,
        SettleInvoice,
        StripeInvoiceOrder,
        StripeInvoiceRef,
        StripeInvoiceSnapshot,
    )
    from contracts.messages.recovery import AdoptReport, ReportAdopted
    from contracts.names import Activities
    from workflows.invoices.inbox import InvoiceInbox
    from workflows.steps import billing_step, local_step, stripe_step


class InvoiceSteps(InvoiceInbox):
    """What `InvoiceWorkflow` does, without what it waits for."""

    async def _load(self) -> InvoiceBrief | None:
        return (await local_step(Activities.LOAD_INVOICE, self._ref, LoadedInvoice)).invoice

    async def _reload(self) -> InvoiceBrief:
        invoice = await self._load()
        assert invoice is not None
        return invoice

    async def _create(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """From claimed usage to a Stripe draft with its lines."""
        what = f"{format_amount(invoice.amount, invoice.currency)} for {invoice.attribution_id}"
        self._say(f"Publishing the usage report: {what}.")
        order = await local_step(Activities.PUBLISH_REPORT, self._ref, StripeInvoiceOrder, "Publish the usage report")
        if order.stripe_customer_id is None:
            self._say(f"Finding or creating the Stripe customer of {invoice.attribution_id}.")
            found = await stripe_step(
                Activities.ENSURE_CUSTOMER,
                CustomerOrder(attribution_id=invoice.attribution_id),
                CustomerFound,
                f"Find or create the customer of {invoice.attribution_id}",
            )
            found = await local_step(Activities.RECORD_CUSTOMER, found, CustomerFound)
            order = order.model_copy(update={"stripe_customer_id": found.stripe_customer_id})
        draft = await self._put_in_stripe(order, what)
        if draft.other_report is not None:
            if await self._adopt(draft):
                invoice = await self._reload()
                return await self._create(invoice) if invoice.state is InvoiceState.CLAIMED else invoice
            draft = await self._put_in_stripe(order.model_copy(update={"adopt": False}), what)
        if draft.too_late:
            await local_step(Activities.GIVE_UP_DRAFT, self._ref, InvoiceRef, "Stripe's draft was finalized before")
            return await self._reload()
        loaded = await local_step(Activities.RECORD_DRAFT, draft, LoadedInvoice)
        assert loaded.invoice is not None
        workflow.upsert_search_attributes(
            [
                search_attributes.STRIPE_INVOICE_ID.value_set(draft.stripe_invoice_id),
                search_attributes.INVOICE_STATE.value_set(str(loaded.invoice.state)),
            ]
        )
        return loaded.invoice

    async def _put_in_stripe(self, order: StripeInvoiceOrder, what: str) -> DraftMade:
        self._say(f"Creating the Stripe invoice: {what}.")
        if order.stripe_invoice_id is None:
            return await stripe_step(
                Activities.CREATE_STRIPE_INVOICE, order, DraftMade, f"Create the Stripe invoice: {what}"
            )
        return await stripe_step(
            Activities.FILL_STRIPE_DRAFT, order, DraftMade, f"Put on {order.stripe_invoice_id}: {what}"
        )

    async def _adopt(self, draft: DraftMade) -> bool:
        """Stripe has this invoice with another report: of after the point that Postgres was restored to, say."""
        assert draft.other_report is not None
        self._say(f"Taking over what {draft.stripe_invoice_id} says: Stripe has it, and Postgres had lost it.")
        found = AdoptReport(
            invoice_key=draft.invoice_key,
            report_id=draft.other_report,
            stripe_invoice_id=draft.stripe_invoice_id,
            stripe_customer_id=draft.stripe_customer_id,
            status=draft.status,
        )
        summary = f"Take over the report of {draft.stripe_invoice_id}"
        return (await local_step(Activities.ADOPT_REPORT, found, ReportAdopted, summary)).adopted

    def _waits(self, invoice: InvoiceBrief) -> bool:
        """Whether it is a draft that waits by its policy: for an approval, or in Stripe's grace."""
        if invoice.state is not InvoiceState.DRAFT:
            return False
        return invoice.awaits_approval or (invoice.waits_until is not None and workflow.now() < invoice.waits_until)

    async def _amend_draft(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """Claim late usage; the draft is held meanwhile, so that Stripe cannot finalize what is out of date."""
        ref = stripe_ref(invoice)
        self._say(f"Holding {ref.stripe_invoice_id} while late usage is claimed.")
        held = await stripe_step(
            Activities.HOLD_STRIPE_DRAFT, ref, StripeInvoiceSnapshot, f"Hold {ref.stripe_invoice_id}"
        )
        if held.status != "draft":
            self._news = True
            return invoice
        amended = await billing_step(Activities.AMEND_INVOICE, self._ref, Amended, "Claim late usage")
        invoice = await self._reload()
        if not amended.changed and self._waits(invoice) and not invoice.awaits_approval:
            # Unchanged: Stripe may finalize it at its time, as was planned.
            order = await local_step(Activities.PUBLISH_REPORT, self._ref, StripeInvoiceOrder)
            order = order.model_copy(update={"stripe_invoice_id": ref.stripe_invoice_id})
            await stripe_step(
                Activities.FILL_STRIPE_DRAFT, order, DraftMade, f"Let Stripe finalize {ref.stripe_invoice_id}"
            )
        return invoice

    async def _void(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """Do in Stripe what a person has decided."""
        self._news = False
        # While it is rebuilt, what a person edited is still in Stripe.
        in_stripe = invoice.stripe_invoice_id or invoice.replaces
        self._say(f"Voiding {in_stripe or 'what Stripe does not have yet'}.")
        snapshot = StripeInvoiceSnapshot(stripe_invoice_id=in_stripe or "", status="deleted")
        if in_stripe is not None:
            self._voiding = True
            ref = stripe_ref(invoice.model_copy(update={"stripe_invoice_id": in_stripe}))
            snapshot = await stripe_step(
                Activities.VOID_STRIPE_INVOICE, ref, StripeInvoiceSnapshot, f"Void {in_stripe}"
            )
            self._voiding = False
        settle = SettleInvoice(invoice_key=invoice.invoice_key, snapshot=snapshot)
        loaded = await local_step(Activities.SETTLE_INVOICE, settle, LoadedInvoice, "Release its usage")
        assert loaded.invoice is not None
        return loaded.invoice

    async def _look(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """Fetch the Stripe invoice, compare the books, and take over its state."""
        self._news = False
        if invoice.stripe_invoice_id is None:
            return invoice
        self._say(f"Comparing report, claims and lines with {invoice.stripe_invoice_id} in Stripe.")
        snapshot = await stripe_step(
            Activities.RETRIEVE_STRIPE_INVOICE,
            stripe_ref(invoice),
            StripeInvoiceSnapshot,
            f"Retrieve {invoice.stripe_invoice_id}",
        )
        loaded = await local_step(
            Activities.SETTLE_INVOICE,
            SettleInvoice(invoice_key=invoice.invoice_key, snapshot=snapshot),
            LoadedInvoice,
            f"Read the report back, compare the books, take over Stripe's state {snapshot.status!r}",
        )
        assert loaded.invoice is not None
        return loaded.invoice

    @staticmethod
    def _say(details: str) -> None:
        workflow.set_current_details(details)


def stripe_ref(invoice: InvoiceBrief) -> StripeInvoiceRef:
    """Names its Stripe invoice, and what that is to hold."""
    assert invoice.stripe_invoice_id is not None
    return StripeInvoiceRef(
        invoice_key=invoice.invoice_key,
        stripe_invoice_id=invoice.stripe_invoice_id,
        generation=invoice.generation,
        stripe_customer_id=invoice.stripe_customer_id,
        currency=invoice.currency,
        amount=invoice.amount if invoice.stripe_amount is None else invoice.stripe_amount,
        lines_digest=invoice.lines_digest,
        charge_on=invoice.charge_on,
        report_id=invoice.report_id or "",
    )
