"""Adopting from Stripe, by their reports, invoices that Postgres has lost."""

from __future__ import annotations

from temporalio import activity

from activities.postgres.adopter import Adopter
from activities.step import step
from billing.errors import PermanentError
from billing.invoice.key import InvoiceKey
from contracts.messages.recovery import AdoptInvoices, AdoptReport, InvoicesAdopted, ReportAdopted
from contracts.names import Activities
from storage.accounts import accounts
from storage.invoices import invoices
from storage.postgres.database import Database


class RecoveryActivities:
    """Each invoice is one transaction under its account's lock. Idempotent."""

    def __init__(self, db: Database, adopter: Adopter) -> None:
        self._db = db
        self._adopter = adopter

    @activity.defn(name=Activities.ADOPT_REPORT)
    async def adopt_report(self, found: AdoptReport) -> ReportAdopted:
        """For the invoice's own workflow: have Postgres say what Stripe has, as far as its report can be read.

        Raises:
            ApplicationError: non-retryable when some of its usage is on another invoice.
        """
        async with step():
            return await self._adopter.adopt(found, its_own=True)

    @activity.defn(name=Activities.ADOPT_INVOICES)
    async def adopt_invoices(self, order: AdoptInvoices) -> InvoicesAdopted:
        """Adopt those that Postgres does not know; the others are left to their own workflows."""
        adopted: list[str] = []
        faults: list[str] = []
        async with step():
            # The oldest first, and what was refused once more: another of them may have held its usage.
            waiting = list(reversed(order.invoices))
            again: list[AdoptReport] = []
            while waiting:
                found = waiting.pop(0)
                try:
                    result = await self._adopter.adopt(found, its_own=False)
                except PermanentError as error:
                    if found in again:
                        faults.append(str(error))
                    else:
                        again.append(found)
                        waiting.append(found)
                    continue
                if result.adopted:
                    adopted.append(found.invoice_key)
                elif result.unreadable is not None and await self._lost(found):
                    faults.append(
                        f"{result.unreadable}; without it the usage would be billed again: void it in Stripe, or put "
                        "the report back from the store's backup"
                    )
            return InvoicesAdopted(adopted=adopted, faults=faults)

    async def _lost(self, found: AdoptReport) -> bool:
        """Whether it is of an account of ours, and Postgres does not have it. Another deployment may have the account
        in Stripe as well, but not in this database."""
        key = InvoiceKey.in_metadata(found.invoice_key)
        if key is None or found.status == "void" or await accounts.get_account(self._db, key.attribution_id) is None:
            return False
        return await invoices.load_invoice(self._db, found.invoice_key) is None
