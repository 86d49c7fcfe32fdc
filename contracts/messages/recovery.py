"""Messages of what takes over from Stripe what Postgres has lost."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


class AdoptReport(Message):
    """A Stripe invoice names this key and this report; `status` is Stripe's."""

    invoice_key: str
    report_id: str
    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None = None


class ReportAdopted(Message):
    """Whether Postgres was changed, or has it already; else why it cannot be: the report cannot be read."""

    adopted: bool
    unreadable: str | None = None


class ListStripeInvoices(Message):
    """Asks for a page of Stripe's invoices made since then, the newest first."""

    since: datetime
    after: str | None = None
    """The last Stripe id of the page before."""


class StripeInvoicesPage(Message):
    """Those of a page of `seen` invoices that name a key and a report of ours; `after` when there are more."""

    invoices: list[AdoptReport]
    seen: int
    after: str | None


class AdoptInvoices(Message):
    """Take these over."""

    invoices: list[AdoptReport]


class InvoicesAdopted(Message):
    """The keys that Postgres did not have as Stripe has them, and why others cannot be taken over, a line each."""

    adopted: list[str]
    faults: list[str]


class AdoptionInput(Message):
    """Starts `AdoptInvoicesWorkflow`; the other fields carry a run over continue-as-new."""

    since: datetime
    after: str | None = None
    seen: int = 0
    ours: int = 0
    adopted_count: int = 0
    adopted: list[str] = Field(default_factory=list)
    faults: list[str] = Field(default_factory=list)


class AdoptionResult(Message):
    """`seen` invoices of Stripe's, `ours` of them; the first keys that were taken over, and what cannot be."""

    seen: int
    ours: int
    adopted_count: int
    adopted: list[str]
    faults: list[str]
