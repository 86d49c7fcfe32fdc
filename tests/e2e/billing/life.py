"""One account in the product and in the reference, and what can happen to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy

from billing.invoice.credit_notes import CreditNoteState, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.periods import BillingPeriod
from contracts import workflow_ids
from contracts.messages.credit_notes import CreditNoteRef
from contracts.messages.events import CatchUpInput
from contracts.names import BILLING_QUEUE, Workflows
from starter.cli.period.status import period_status
from storage.invoices import credit_notes, refunds
from storage.invoices.credit_notes import CreditNoteRecord
from tests.e2e.billing.year_reference import Year
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at
from tests.support.until import GIVE_UP_SECONDS, until

TEAM = "team:year"
_CHARGED = (InvoiceState.BILLED, InvoiceState.PAID)


@dataclass
class Life:
    """The account in the product and in the reference."""

    system: System
    they: Subscribers
    year: Year

    async def runs(self, name: str, start: str, end: str, workspace_class: str = "default") -> None:
        await self.system.add_instance(name, TEAM, start, end, workspace_class)
        self.year.runs(name, start, end, workspace_class)

    async def month(self, month: str, end: str) -> None:
        """Run the month some hours after its end."""
        await self.they.clock(f"{end}T06:00")
        await self.system.run_period(month)
        amount = self.year.settle(month, end)
        if amount:
            assert (await self.latest(month)).amount == amount
        await self.agree()

    async def latest(self, month: str) -> InvoiceRecord:
        """Return the live invoice of the month's run."""
        found = [i for i in await self.system.invoices(month) if i.reason == "period" and i.state not in DEAD]
        assert len(found) == 1
        return found[0]

    async def cancelled(self, subscription: str, cutoff: str, currency: str = "usd") -> None:
        """Wait for the invoice of a cancellation's final claim."""
        amount = self.year.settle(f"cancellation {cutoff}", cutoff, currency)
        if amount:
            key = f"{cutoff[:7]}/{TEAM}/cancellation/{subscription}"
            found = await self.system.until_state(key, InvoiceState.BILLED, InvoiceState.PAID)
            assert found.amount == amount
        await self.agree()

    async def until_last_window(self, started: str) -> None:
        """Wait until the account's last window is open from that instant."""

        async def there() -> bool:
            return (await self.they.windows(TEAM))[-1:] == [(at(started), None)]

        await until(there)

    async def excluded(self, month: str) -> list[dict[str, Any]]:
        """Return what the month's status lists as excluded."""
        document = await period_status(self.system.db, self.system.settings, BillingPeriod.parse(month))
        rows = document["excluded"]
        assert isinstance(rows, list)
        return rows

    async def until_refunded(self, invoice: InvoiceRecord, cents: int) -> None:
        """Wait until so much is recorded as refunded by hand."""

        async def recorded() -> bool:
            found = (await refunds.of_invoices(self.system.db, [invoice.id])).get(invoice.id, [])
            return sum(refund.amount for refund in found if refund.is_outside) == cents

        await until(recorded)

    async def credit(self, invoice: InvoiceRecord, order: CreditOrder) -> CreditNoteRecord:
        note, _ = await credit_notes.request_credit(self.system.db, invoice.key, order)
        await self.system.client.start_workflow(
            Workflows.CREDIT_NOTE,
            CreditNoteRef(credit_note_key=note.key),
            id=workflow_ids.credit_note(note.key),
            task_queue=BILLING_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )

        async def issued() -> CreditNoteRecord | None:
            found = await credit_notes.load_credit_note(self.system.db, note.key)
            return found if found and found.state is CreditNoteState.ISSUED else None

        made = await until(issued)
        self.year.credit(made.amount)
        return made

    async def catch_up(self) -> None:
        handle = await self.system.client.start_workflow(
            Workflows.EVENTS_CATCH_UP, CatchUpInput(), id=workflow_ids.EVENTS_CATCH_UP, task_queue=BILLING_QUEUE
        )
        await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)

    async def agree(self) -> None:
        """Check that our books, Stripe's, and the reference agree."""

        async def settled() -> bool:
            live = [i for i in await self.system.invoices() if i.state not in DEAD]
            waiting = sum(bill.waiting for bill in self.year.bills.values())
            return sum(i.state not in _CHARGED for i in live) == waiting

        await until(settled)
        for currency in dict.fromkeys(bill.currency for bill in self.year.bills.values()):
            await self._agree_in(currency)

    async def _agree_in(self, currency: str) -> None:
        charged = [i for i in await self.system.invoices() if i.currency == currency and i.state in _CHARGED]
        notes = await credit_notes.credit_notes_of(self.system.db, [i.id for i in charged])
        credited = sum(n.amount for of in notes.values() for n in of if n.state is CreditNoteState.ISSUED)
        assert sum(i.amount for i in charged) - credited == self.year.total(currency)
        ours = {i.stripe_invoice_id for i in charged}
        stripe = [i for i in await self.system.stripe_invoices() if i["id"] in ours and i["currency"] == currency]
        assert len(stripe) == len(charged)
        back = sum(i["pre_payment_credit_notes_amount"] + i["post_payment_credit_notes_amount"] for i in stripe)
        assert sum(i["subtotal"] for i in stripe) - back == self.year.total(currency) + self.year.fees(currency)
