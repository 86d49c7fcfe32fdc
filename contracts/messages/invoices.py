"""Messages of invoices, and of Stripe's side of them."""

from datetime import datetime

from pydantic import Field

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from contracts.messages.base import Message


class InvoiceRef(Message):
    """Names an invoice."""

    invoice_key: str
    look: bool = False
    """Look what Stripe has of it, as if it had news."""


class IdentifyStripeInvoice(Message):
    """Names an invoice of Stripe's, ours or not."""

    stripe_invoice_id: str


class LinkedInvoice(Message):
    """Whose an invoice of Stripe's is: ours by its key, else an account's, else nobody's."""

    invoice_key: str | None = None
    attribution_id: str | None = None


class StripeInvoiceResult(Message):
    """The result of `StripeInvoiceWorkflow`."""

    note: str


class InvoiceBrief(Message):
    """What a workflow knows of an invoice. `amount` in minor units."""

    invoice_key: str
    attribution_id: str
    billing_period: str
    reason: InvoiceReason
    state: InvoiceState
    currency: str
    amount: int
    report_id: str | None
    stripe_customer_id: str | None
    stripe_invoice_id: str | None
    generation: int = 1
    """Part of Stripe's idempotency keys: counts up when an operator resumes a blocked invoice."""
    blocked_reason: str | None
    blocked_since: datetime | None
    poll_seconds: float
    """The first wait for Stripe's finalization before it is asked."""
    lines_digest: str = ""
    """`lines_digest` of the lines that Stripe is to have: ours, or those that a person accepted."""
    stripe_amount: int | None = None
    """What they come to, in minor units; none: `amount`."""
    charge_on: ChargeOn = ChargeOn.OWN
    finalization: Finalization = Finalization.AT_ONCE
    awaits_approval: bool = False
    """A draft that a person has to approve first."""
    waits_until: datetime | None = None
    """Of a draft in its grace: when, shortly before Stripe would, late usage is added and it is finalized."""
    revision: int = 1
    blocked_kind: BlockedKind | None = None
    approved: bool = False
    """A person has approved its amount: late usage is not added any more."""
    void_requested: bool = False
    replaces: str | None = None
    """Its edited predecessor in Stripe, until its successor is made."""


class LoadedInvoice(Message):
    """The invoice, or none when Postgres does not know the key."""

    invoice: InvoiceBrief | None


class StripeLine(Message):
    """One line of a Stripe invoice. `line_id` goes into its metadata; `amount` in minor units."""

    line_id: str
    amount: int
    description: str
    start: datetime
    end: datetime


class StripeInvoiceOrder(Message):
    """Everything that creates one Stripe invoice, the same for every attempt: requests are byte-stable."""

    invoice_key: str
    attribution_id: str
    stripe_customer_id: str | None
    currency: str
    amount: int
    collection_method: str
    days_until_due: int | None
    description: str
    metadata: dict[str, str]
    lines: list[StripeLine]
    cutoff: datetime
    generation: int = 1
    revision: int = 1
    charge_on: ChargeOn = ChargeOn.OWN
    stripe_invoice_id: str | None = None
    """A draft that exists, to be filled; none: it is to be created."""
    replaces: str | None = None
    """Its predecessor that a person edited, to be removed."""
    auto_advance: bool = False
    finalizes_at: datetime | None = None
    """When Stripe finalizes it by itself."""
    automatic_tax: bool = False
    adopt: bool = False
    """One that is found with another report is given back as it is: Postgres may have lost what it was told."""


class CustomerOrder(Message):
    """Asks for the account's Stripe customer, to be found by metadata or created."""

    attribution_id: str


class CustomerFound(Message):
    """The account's Stripe customer."""

    attribution_id: str
    stripe_customer_id: str


class StripeInvoiceRef(Message):
    """Names a Stripe invoice of ours."""

    invoice_key: str
    stripe_invoice_id: str
    generation: int = 1
    stripe_customer_id: str | None = None
    """Its customer, by whom a key that cannot see the invoice is told from an invoice that is gone."""
    currency: str = ""
    amount: int = 0
    lines_digest: str = ""
    """What the draft must hold to be finalized; empty: not known."""
    verified_at: datetime | None = None
    """When its creation, in this run, has compared the same draft."""
    charge_on: ChargeOn = ChargeOn.OWN
    report_id: str = ""
    """What its metadata is to name; empty: not known."""


class StripeInvoiceLine(Message):
    """A line as Stripe has it; `line_id` is ours, empty when the line is not."""

    line_id: str
    amount: int
    currency: str
    stripe_line_id: str = ""


class StripeInvoiceSnapshot(Message):
    """A Stripe invoice as last fetched. `status` is Stripe's, or `deleted`."""

    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None = None
    currency: str = ""
    subtotal: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    lines: list[StripeInvoiceLine] = Field(default_factory=list)
    livemode: bool = False
    billing_reason: str = ""
    stripe_subscription_id: str | None = None
    period_end: datetime | None = None
    """Of a subscription's cycle: when it ended."""
    attempt_count: int = 0
    """How often Stripe has tried to charge it."""
    found_finalized: bool = False
    """It was to be finalized and was no draft any more: Stripe's word of it may have come and gone."""
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    marked_uncollectible_at: datetime | None = None


class StripeInvoiceCreated(Message):
    """A Stripe invoice exists, with its lines."""

    invoice_key: str
    stripe_invoice_id: str
    stripe_customer_id: str
    too_late: bool = False
    """Stripe's own draft was finalized, or is gone, before our lines were on it."""
    other_report: str | None = None
    """It exists with this report, and not the one of the order: nothing was done to it."""
    status: str = ""
    """Stripe's, when it has another report."""


class EditedFigures(Message):
    """What Stripe has in place of ours: subtotal in minor units, `lines_digest` of its lines."""

    subtotal: int
    digest: str


class ReconcileInvoice(Message):
    """Compare the books with what Stripe has, and move the invoice's state accordingly."""

    invoice_key: str
    snapshot: StripeInvoiceSnapshot


class BlockInvoice(Message):
    """A permanent error: the invoice waits for an operator."""

    invoice_key: str
    reason: str
    stripe_invoice_id: str | None = None
    stripe_customer_id: str | None = None
    """What its creation had made in Stripe before it failed."""
    found: EditedFigures | None = None
    void_refused: bool = False
    """Stripe would not void it: a person has to decide anew."""


class ApproveInvoice(Message):
    """A person approves the invoice at this amount, in minor units: ours, or the one found in Stripe."""

    amount: int
    by: str
    invoice_key: str = ""


class RebuildInvoice(Message):
    """A person wants Stripe's side made anew from our lines."""

    by: str
    invoice_key: str = ""


class VoidInvoice(Message):
    """A person wants the invoice voided; `write_off`: its usage is never billed again."""

    by: str
    reason: str
    write_off: bool
    invoice_key: str = ""


class Amended(Message):
    """Whether the invoice claimed other usage than before."""

    changed: bool


class InvoiceResult(Message):
    """The result of `InvoiceWorkflow` when it rests."""

    invoice_key: str
    state: InvoiceState | None
    """None when Postgres does not know the invoice."""


class StripeEvent(Message):
    """A wake-up, not a fact: what it is about is fetched anew."""

    event_id: str
    type: str
    created: datetime
