"""Messages of the recovery, which adopts from Stripe what Postgres has lost."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


class AdoptReport(Message):
    """A Stripe invoice to adopt, which names this key and this report; `status` is Stripe's."""

    invoice_key: str
    report_id: str
    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None = None


class ReportAdopted(Message):
    """Whether Postgres was changed; if the report cannot be read, `unreadable` says why."""

    adopted: bool
    unreadable: str | None = None


class ListStripeInvoices(Message):
    """Asks for a page of the invoices that Stripe has created since `since`, newest first."""

    since: datetime
    after: str | None = None
    """The last Stripe id of the previous page."""


class StripeInvoicesPage(Message):
    """The invoices of a page that name a key and a report of ours, out of `seen`; `after` is None on the last page."""

    invoices: list[AdoptReport]
    seen: int
    after: str | None


class AdoptInvoices(Message):
    """Asks to adopt these invoices."""

    invoices: list[AdoptReport]


class InvoicesAdopted(Message):
    """The keys that were adopted, because Postgres did not agree with Stripe; and why others cannot be, a line each."""

    adopted: list[str]
    faults: list[str]


class AdoptionInput(Message):
    """Starts `AdoptInvoicesWorkflow`; the fields from `after` on carry a run across continue-as-new."""

    since: datetime
    after: str | None = None
    seen: int = 0
    ours: int = 0
    adopted_count: int = 0
    adopted: list[str] = Field(default_factory=list)
    faults: list[str] = Field(default_factory=list)


class AdoptionResult(Message):
    """The result of `AdoptInvoicesWorkflow`: `ours` of `seen` Stripe invoices, the first adopted keys, the faults."""

    seen: int
    ours: int
    adopted_count: int
    adopted: list[str]
    faults: list[str]
