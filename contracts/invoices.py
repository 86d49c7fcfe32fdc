"""Messages of invoices, and of Stripe's side of them."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from billing.invoice import InvoiceReason, InvoiceState
from contracts.message import Message


def lines_digest(lines: Iterable[tuple[str, int]]) -> str:
    """Of a multiset of (line id, amount in minor units), whatever their order."""
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()


class InvoiceRef(Message):
    """Names an invoice."""

    invoice_key: str


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
    """`lines_digest` of its lines, to compare them with Stripe's."""


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


class StripeInvoiceLine(Message):
    """A line as Stripe has it; `line_id` is ours, empty when the line is not."""

    line_id: str
    amount: int
    currency: str


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
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    marked_uncollectible_at: datetime | None = None
    billing_reason: str | None = None
    """Stripe's: `manual`, `subscription_cycle` ..."""
    stripe_subscription_id: str | None = None
    """Of an invoice that Stripe made for a subscription."""
    period_end: datetime | None = None
    created: datetime | None = None
    attempt_count: int = 0
    """How often Stripe has tried to charge the customer."""
    credited: int = 0
    """What credit notes come to, before and after payment, in minor units."""


class DraftMade(Message):
    """A Stripe invoice exists, with its lines."""

    invoice_key: str
    stripe_invoice_id: str
    stripe_customer_id: str


class SettleInvoice(Message):
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


class InvoiceOutcome(Message):
    """The result of `InvoiceWorkflow` when it rests."""

    invoice_key: str
    state: InvoiceState | None
    """None when Postgres does not know the invoice."""


class StripeEvent(Message):
    """A wake-up, not a fact: what it is about is fetched anew."""

    event_id: str
    type: str
    created: datetime
