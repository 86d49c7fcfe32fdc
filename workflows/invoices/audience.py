"""Who waits for an invoice: its batch until the invoice is parked, its period until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import OPEN
    from contracts import workflow_ids
    from contracts.messages.invoices import InvoiceBrief, InvoiceRef
    from contracts.names import Signals


@dataclass(frozen=True)
class Audience:
    """`parked`: the batch does not wait. `was_open`: the invoice has been open since its period was last notified."""

    parked: bool = False
    was_open: bool = False

    def seeing(self, invoice: InvoiceBrief | None) -> Audience:
        """Return the audience after the invoice was loaded."""
        return replace(self, was_open=True) if invoice is not None and invoice.state in OPEN else self


async def park(ref: InvoiceRef, audience: Audience) -> Audience:
    """Signal the batch, once, not to wait for this invoice; the period is signaled when the invoice settles."""
    parent = workflow.info().parent
    if parent is not None and not audience.parked:
        await _signal(ref, parent.workflow_id, Signals.INVOICE_PARKED)
    return replace(audience, parked=True)


async def tell_period(ref: InvoiceRef, audience: Audience, invoice: InvoiceBrief | None) -> Audience:
    """Signal a period that waits for this invoice through Postgres to count again; a batch awaits its child itself."""
    if invoice is None or invoice.state in OPEN or not audience.was_open:
        return audience
    if not audience.parked and workflow.info().parent is not None:
        return audience
    for whose in (None, invoice.attribution_id):
        await _signal(ref, workflow_ids.billing_period(invoice.billing_period, whose), Signals.RECHECK)
    return Audience()


async def _signal(ref: InvoiceRef, workflow_id: str, signal: str) -> None:
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, ref)
    except FailureError:
        # The workflow has finished, so nobody is waiting; Postgres has the state.
        workflow.logger.info("%s is not running: %s not delivered", workflow_id, signal)
