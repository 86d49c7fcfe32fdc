"""What the Temporal UI shows about an invoice's workflow."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import DEAD, Step
    from billing.money import format_amount
    from contracts import retries, search_attributes
    from contracts.messages.invoices import InvoiceBrief, InvoiceRef, InvoiceResult
    from contracts.remedies import way_out
    from workflows.steps import clock, in_utc, show


def what(invoice: InvoiceBrief) -> str:
    """Return the invoice's amount and account: `11.70 USD for team:blue`."""
    return f"{format_amount(invoice.amount, invoice.currency)} for {invoice.attribution_id}"


def show_finalizing(stripe_invoice_id: str | None, wait: timedelta) -> None:
    """Show that finalization is requested, and that an event of Stripe's that says so is awaited."""
    show(
        f"Waiting since {clock()} for Stripe's event that {stripe_invoice_id} is finalized or paid. "
        f"If none arrives within {wait}, Stripe is asked."
    )


def show_waiting(step: Step, invoice: InvoiceBrief) -> timedelta | None:
    """Show what a blocked invoice, or a draft that waits by its policy, waits for; return for how long at most."""
    timeout = None
    if step is Step.AWAIT_OPERATOR:
        since = in_utc(invoice.blocked_since) if invoice.blocked_since else clock()
        remedy = way_out(invoice.blocked_kind, invoice.invoice_key)
        show(f"**Blocked** since {since}: {invoice.blocked_reason}\n\n{remedy}")
        asks = invoice.waits_for_stripe or invoice.tries_again
        timeout = retries.WAITING_IN_STRIPE_REFRESHED_AFTER if asks else None
    elif invoice.awaits_approval:
        show(
            f"**Waiting for approval** since {clock()}: {what(invoice)}.\n\n"
            f"`perdure invoices approve '{invoice.invoice_key}'` finalizes it."
        )
    else:
        assert invoice.waits_until is not None
        timeout = invoice.waits_until - workflow.now()
        show(
            f"{what(invoice)}: {invoice.stripe_invoice_id} is finalized at {in_utc(invoice.waits_until)}. "
            + (
                "It is approved, so late usage is billed on the next invoice."
                if invoice.approved
                else f"Late usage is added then, or earlier by `perdure period run {invoice.billing_period}`."
            )
        )
    workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
    return timeout


def rest(ref: InvoiceRef, invoice: InvoiceBrief | None, *, marked: bool = False) -> InvoiceResult:
    """Show the state in which the invoice rests, and return it; `marked`: its search attributes have it already."""
    if invoice is None:
        workflow.metric_meter().create_counter(
            "perdure_unknown_invoices", "Wake-ups for invoice keys that are not in Postgres"
        ).add(1)
        show("This invoice is not in Postgres: nothing to do.")
        return InvoiceResult(invoice_key=ref.invoice_key, state=None)
    if not marked:
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
    released = " Its usage is billable again, unless it was written off." if invoice.state in DEAD else ""
    show(f"Invoice **{invoice.state}** as of {clock()}.{released} Nothing is awaited.")
    return InvoiceResult(invoice_key=invoice.invoice_key, state=invoice.state)
