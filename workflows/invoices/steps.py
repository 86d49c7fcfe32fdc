"""The steps of an invoice between Postgres and Stripe. Most return the invoice as it is afterwards."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from billing.invoice.policy import ChargeOn
    from billing.invoice.states import DEAD, InvoiceState, waits_by_policy
    from contracts import search_attributes
    from contracts.messages.base import Message
    from contracts.messages.holds import Hold
    from contracts.messages.invoices import (
        Amended,
        BlockInvoice,
        CustomerFound,
        CustomerOrder,
        EditedFigures,
        InvoiceBrief,
        InvoiceRef,
        LoadedInvoice,
        ReconcileInvoice,
        StripeEvent,
        StripeInvoiceCreated,
        StripeInvoiceOrder,
        StripeInvoiceRef,
        StripeInvoiceSnapshot,
    )
    from contracts.messages.recovery import AdoptReport, ReportAdopted
    from contracts.names import Activities
    from workflows.invoices.details import what
    from workflows.invoices.start import wake_invoice
    from workflows.steps import (
        STEP_FAILED,
        billing_step,
        failure_of,
        local_step,
        permanent_reason,
        show,
        stripe_step,
    )


async def load(ref: InvoiceRef) -> InvoiceBrief | None:
    """Return the invoice as Postgres has it, or None if it is not in Postgres."""
    return (await local_step(Activities.LOAD_INVOICE, ref, LoadedInvoice)).invoice


async def reload(ref: InvoiceRef) -> InvoiceBrief:
    """Return the invoice as Postgres has it now."""
    return _known(await local_step(Activities.LOAD_INVOICE, ref, LoadedInvoice))


def _known(loaded: LoadedInvoice) -> InvoiceBrief:
    assert loaded.invoice is not None
    return loaded.invoice


async def resume(ref: InvoiceRef) -> InvoiceBrief:
    """Return a blocked invoice to its previous state, unless a limit blocks it: that needs an approval."""
    await local_step(Activities.RESUME_INVOICE, ref, LoadedInvoice)
    invoice = await reload(ref)
    if invoice.state is not InvoiceState.BLOCKED:
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
    return invoice


async def create(ref: InvoiceRef, invoice: InvoiceBrief) -> InvoiceBrief:
    """Turn claimed usage into a Stripe draft with its lines."""
    show(f"Publishing the usage report: {what(invoice)}.")
    order = await _with_customer(
        await local_step(Activities.PUBLISH_REPORT, ref, StripeInvoiceOrder, "Publish the usage report")
    )
    draft = await _put_in_stripe(order, what(invoice))
    if draft.other_report is not None:
        if await _adopt(draft):
            invoice = await reload(ref)
            return await create(ref, invoice) if invoice.state is InvoiceState.CLAIMED else invoice
        draft = await _put_in_stripe(order.model_copy(update={"adopt": False}), what(invoice))
    if draft.too_late:
        await local_step(Activities.GIVE_UP_DRAFT, ref, InvoiceRef, "Too late for our lines: release their usage")
        return await reload(ref)
    invoice = _known(await local_step(Activities.RECORD_DRAFT, draft, LoadedInvoice))
    workflow.upsert_search_attributes(
        [
            search_attributes.STRIPE_INVOICE_ID.value_set(draft.stripe_invoice_id),
            search_attributes.INVOICE_STATE.value_set(str(invoice.state)),
        ]
    )
    return invoice


async def _with_customer(order: StripeInvoiceOrder) -> StripeInvoiceOrder:
    if order.stripe_customer_id is not None:
        return order
    show(f"Finding or creating the Stripe customer of {order.attribution_id}.")
    found = await stripe_step(
        Activities.ENSURE_CUSTOMER,
        CustomerOrder(attribution_id=order.attribution_id),
        CustomerFound,
        f"Find or create the customer of {order.attribution_id}",
    )
    found = await local_step(Activities.RECORD_CUSTOMER, found, CustomerFound)
    return order.model_copy(update={"stripe_customer_id": found.stripe_customer_id})


async def _put_in_stripe(order: StripeInvoiceOrder, amount: str) -> StripeInvoiceCreated:
    show(f"Creating the Stripe invoice: {amount}.")
    if order.stripe_invoice_id is None:
        return await stripe_step(
            Activities.CREATE_STRIPE_INVOICE, order, StripeInvoiceCreated, f"Create the Stripe invoice: {amount}"
        )
    return await stripe_step(
        Activities.FILL_STRIPE_DRAFT,
        order,
        StripeInvoiceCreated,
        f"Fill {order.stripe_invoice_id} with our lines: {amount}",
    )


async def _adopt(draft: StripeInvoiceCreated) -> bool:
    """Adopt an invoice that Stripe has with another report, for example from after the point of a Postgres restore."""
    assert draft.other_report is not None
    show(f"Adopting {draft.stripe_invoice_id} from Stripe: Postgres had lost it.")
    found = AdoptReport(
        invoice_key=draft.invoice_key,
        report_id=draft.other_report,
        stripe_invoice_id=draft.stripe_invoice_id,
        stripe_customer_id=draft.stripe_customer_id,
        status=draft.status,
    )
    summary = f"Adopt {draft.stripe_invoice_id} by its report"
    return (await local_step(Activities.ADOPT_REPORT, found, ReportAdopted, summary)).adopted


async def amend(ref: InvoiceRef, invoice: InvoiceBrief) -> InvoiceBrief | None:
    """Claim late usage while Stripe is kept from finalizing the outdated draft.

    Returns None if the invoice is no longer a draft in Stripe.
    """
    draft = stripe_ref(invoice)
    show(f"Claiming late usage; Stripe does not finalize {draft.stripe_invoice_id} meanwhile.")
    held = await stripe_step(
        Activities.HOLD_STRIPE_DRAFT,
        draft,
        StripeInvoiceSnapshot,
        f"Keep Stripe from finalizing {draft.stripe_invoice_id}",
    )
    if held.status != "draft":
        return None
    amended = await billing_step(Activities.AMEND_INVOICE, ref, Amended, "Claim late usage")
    invoice = await reload(ref)
    if not amended.changed and waits_by_policy(invoice, workflow.now()) and not invoice.awaits_approval:
        # Unchanged: Stripe can finalize it at its time, as planned.
        order = await local_step(Activities.PUBLISH_REPORT, ref, StripeInvoiceOrder)
        order = order.model_copy(update={"stripe_invoice_id": draft.stripe_invoice_id})
        await stripe_step(
            Activities.FILL_STRIPE_DRAFT,
            order,
            StripeInvoiceCreated,
            f"Let Stripe finalize {draft.stripe_invoice_id}",
        )
    return invoice


async def finalize(invoice: InvoiceBrief, verified_at: datetime | None) -> bool:
    """Finalize the draft; return whether to refresh it now, without waiting for an event.

    `verified_at`: when the draft's creation compared it.
    """
    draft = stripe_ref(invoice).model_copy(update={"verified_at": verified_at})
    show(f"Finalizing {draft.stripe_invoice_id}.")
    finalized = await stripe_step(
        Activities.FINALIZE_STRIPE_INVOICE, draft, StripeInvoiceSnapshot, f"Finalize {draft.stripe_invoice_id}"
    )
    return finalized.found_finalized


async def void(invoice: InvoiceBrief) -> InvoiceBrief:
    """Void the invoice in Stripe, as a person decided, and record that in Postgres."""
    # During a rebuild, the edited invoice is still in Stripe.
    in_stripe = invoice.stripe_invoice_id or invoice.replaces
    show(f"Voiding {in_stripe or what(invoice)}.")
    snapshot = StripeInvoiceSnapshot(stripe_invoice_id=in_stripe or "", status="deleted")
    known = invoice.stripe_customer_id is not None and invoice.charge_on is ChargeOn.OWN
    if in_stripe is None and known and workflow.patched("void-by-key"):
        in_stripe = ""  # the one Stripe step may have made an invoice before it was lost
    if in_stripe is not None:
        voided = stripe_ref(invoice.model_copy(update={"stripe_invoice_id": in_stripe}))
        voided = voided.model_copy(update={"blocked": invoice.state is InvoiceState.BLOCKED})
        snapshot = await stripe_step(
            Activities.VOID_STRIPE_INVOICE, voided, StripeInvoiceSnapshot, f"Void {in_stripe or what(invoice)}"
        )
    reconcile = ReconcileInvoice(invoice_key=invoice.invoice_key, snapshot=snapshot)
    return await settled(Activities.SETTLE_INVOICE, reconcile, "Record the void")


async def retrieve(invoice: InvoiceBrief) -> StripeInvoiceSnapshot:
    """Return the Stripe invoice as it is now."""
    return await stripe_step(
        Activities.RETRIEVE_STRIPE_INVOICE,
        stripe_ref(invoice),
        StripeInvoiceSnapshot,
        f"Retrieve {invoice.stripe_invoice_id}",
    )


async def refresh(invoice: InvoiceBrief) -> InvoiceBrief:
    """Fetch the Stripe invoice, compare the books, and adopt its state."""
    if invoice.stripe_invoice_id is None:
        return invoice
    show(f"Comparing report, claims and lines with {invoice.stripe_invoice_id} in Stripe.")
    snapshot = await retrieve(invoice)
    reconcile = ReconcileInvoice(invoice_key=invoice.invoice_key, snapshot=snapshot)
    return await settled(
        Activities.SETTLE_INVOICE, reconcile, f"Compare the books, adopt Stripe's state {snapshot.status!r}"
    )


async def settled(activity: str, arg: Message, summary: str) -> InvoiceBrief:
    """Record Stripe's state. Invoices of the account that this one kept Stripe from taking are tried again."""
    loaded = await local_step(activity, arg, LoadedInvoice, summary)
    paid = StripeEvent(event_id="", type="invoice.paid", created=workflow.now())
    for key in loaded.waiting:
        await wake_invoice(key, paid)
    return _known(loaded)


async def block(
    ref: InvoiceRef, error: ActivityError | ApplicationError, invoice: InvoiceBrief | None
) -> InvoiceBrief | None:
    """Make the invoice wait for an operator, unless it is dead or not in Postgres.

    What the failed step made in Stripe is recorded; or else what an earlier step has left there of a claimed `invoice`.

    Raises:
        ActivityError, ApplicationError: the invoice cannot be blocked although it is live.
    """
    made, found, hold = _details(error)
    left = made or (invoice if invoice is not None and invoice.state is InvoiceState.CLAIMED else None)
    order = BlockInvoice(
        invoice_key=ref.invoice_key,
        reason=hold.reason if hold else permanent_reason(error),
        stripe_invoice_id=left.stripe_invoice_id if left else None,
        stripe_customer_id=left.stripe_customer_id if left else None,
        found=found,
        void_refused=isinstance(error, ActivityError) and error.activity_type == Activities.VOID_STRIPE_INVOICE,
        kind=hold.held_as if hold else None,
    )
    try:
        return (await local_step(Activities.BLOCK_INVOICE, order, LoadedInvoice)).invoice
    except STEP_FAILED:
        invoice = await load(ref)
        if invoice is not None and invoice.state not in DEAD:
            raise
        return invoice


def _details(
    error: ActivityError | ApplicationError,
) -> tuple[StripeInvoiceCreated | None, EditedFigures | None, Hold | None]:
    """What the failed step had created in Stripe, what it found there in place of our lines, and why it is held."""
    made = found = hold = None
    for detail in failure_of(error).details:
        if "stripe_invoice_id" in detail:
            made = StripeInvoiceCreated.model_validate(detail)
        elif "digest" in detail:
            found = EditedFigures.model_validate(detail)
        elif "held_as" in detail:
            hold = Hold.model_validate(detail)
    return made, found, hold


def stripe_ref(invoice: InvoiceBrief) -> StripeInvoiceRef:
    """Return a reference to the Stripe invoice, with the figures that it must have."""
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
        finalization=invoice.finalization,
        paused_subscription=invoice.paused_subscription,
        pauses=invoice.pauses,
    )
