"""What reaches an invoice's workflow from outside: news from Stripe, and a person's decisions."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.messages.base import Message
    from contracts.messages.invoices import ApproveInvoice, InvoiceRef, RebuildInvoice, StripeEvent, VoidInvoice
    from contracts.names import Activities, Signals, Updates
    from workflows.steps import local_step


class InvoiceInbox:
    """Signals and updates of `InvoiceWorkflow`; they only note what was heard, or decided, and wake it.

    A decision is recorded in Postgres, under the invoice's lock, before it is answered: what is refused there
    fails the update with its reason and changes nothing.
    """

    def __init__(self, ref: InvoiceRef) -> None:
        self._ref = ref
        self._news = ref.look
        self._retry = False
        self._amend = False
        self._voiding = False

    @property
    def _woken(self) -> bool:
        return self._news or self._retry or self._amend

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Stripe has news of this invoice: it is fetched anew.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; what the event says is not believed, only looked up."""
        self._news = True

    @workflow.signal(name=Signals.RETRY, description="Go on with a blocked invoice, after its cause was mended.")
    def retry(self) -> None:
        """Let a blocked invoice go on; of any other, look what Stripe has."""
        self._retry = self._news = True

    @workflow.signal(name=Signals.AMEND, description="Claim late usage, as long as the draft still waits.")
    def amend(self) -> None:
        """Claim the usage anew."""
        self._amend = True

    @workflow.update(name=Updates.APPROVE, description="Approve the figures that this invoice waits with.")
    async def approve(self, approval: ApproveInvoice) -> InvoiceRef:
        """Let a draft, or an invoice that a brake stops, go on; accept what a person made of one in Stripe.

        Raises:
            ApplicationError: it does not wait for that, or its figure is another by now.
        """
        return await self._decide(Activities.APPROVE_INVOICE, approval, f"Approved by {approval.by}")

    @approve.validator
    def _validate_approval(self, approval: ApproveInvoice) -> None:
        _require(approval.by)
        if approval.amount < 0:
            raise ValueError("an approved amount is not negative")

    @workflow.update(name=Updates.REBUILD, description="Make Stripe's side anew, after a person edited it there.")
    async def rebuild(self, rebuild: RebuildInvoice) -> InvoiceRef:
        """Make Stripe's side anew.

        Raises:
            ApplicationError: it is not blocked as edited.
        """
        return await self._decide(Activities.REBUILD_INVOICE, rebuild, f"Rebuilt by {rebuild.by}")

    @rebuild.validator
    def _validate_rebuild(self, rebuild: RebuildInvoice) -> None:
        _require(rebuild.by)

    @workflow.update(name=Updates.VOID, description="Void this invoice in Stripe, or write its usage off.")
    async def void(self, void: VoidInvoice) -> InvoiceRef:
        """Void it.

        Raises:
            ApplicationError: it is paid, or dead already.
        """
        return await self._decide(Activities.REQUEST_VOID, void, f"Voided by {void.by}")

    @void.validator
    def _validate_void(self, void: VoidInvoice) -> None:
        _require(void.by)
        _require(void.reason)

    async def _decide(self, name: str, decision: Message, summary: str) -> InvoiceRef:
        named = decision.model_copy(update={"invoice_key": self._ref.invoice_key})
        decided = await local_step(name, named, InvoiceRef, summary)
        self._retry = self._news = True
        return decided


def _require(text: str) -> None:
    if not text.strip():
        raise ValueError("say who decides, and why")
