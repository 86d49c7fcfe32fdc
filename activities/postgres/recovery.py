"""Adopts from Stripe, by their reports, invoices that Postgres has lost."""

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
    """Adopts each invoice in one transaction, under its account's lock. Idempotent."""

    def __init__(self, db: Database, adopter: Adopter) -> None:
        self._db = db
        self._adopter = adopter

    @activity.defn(name=Activities.ADOPT_REPORT)
    async def adopt_report(self, found: AdoptReport) -> ReportAdopted:
        """Adopt an invoice for its own workflow, if its report can be read.

        Raises:
            ApplicationError: non-retryable if some of its usage is on another invoice.
        """
        async with step():
            return await self._adopter.adopt(found, its_own=True)

    @activity.defn(name=Activities.ADOPT_INVOICES)
    async def adopt_invoices(self, order: AdoptInvoices) -> InvoicesAdopted:
        """Adopt the invoices that Postgres lacks; leave the others to their own workflows."""
        adopted: list[str] = []
        faults: list[str] = []
        async with step():
            # Oldest first; a refused invoice gets a second try, as another one may have claimed its usage before.
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
                        f"{result.unreadable}; without it the usage would be billed again: void the invoice in "
                        "Stripe, or restore the report from the store's backup"
                    )
            return InvoicesAdopted(adopted=adopted, faults=faults)

    async def _lost(self, found: AdoptReport) -> bool:
        """Whether the invoice is live, belongs to an account in this database, and is not in Postgres.

        An account that is only in Stripe may belong to another deployment.
        """
        key = InvoiceKey.in_metadata(found.invoice_key)
        if key is None or found.status == "void" or await accounts.get_account(self._db, key.attribution_id) is None:
            return False
        return await invoices.load_invoice(self._db, found.invoice_key) is None
