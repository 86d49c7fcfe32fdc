"""Messages of invoices, ours and Stripe's."""

from datetime import datetime

from pydantic import Field

from billing.accounts.pauses import CollectionPause
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import TRIES_AGAIN, WAITS_FOR_STRIPE, BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from contracts.messages.base import Message, PersonDecides
from contracts.messages.holds import Hold


class InvoiceRef(Message):
    """Names an invoice."""

    invoice_key: str
    look: bool = False
    """Refresh the invoice as if Stripe had sent an event."""


class StripeLine(Message):
    """A line of a Stripe invoice. `line_id` goes into its metadata; `amount` is in minor units."""

    line_id: str
    amount: int
    description: str
    start: datetime
    end: datetime


class StripeInvoiceOrder(Message):
    """Everything needed to create a Stripe invoice, the same for every attempt, so that requests are byte-stable."""

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
    """The draft to fill; None if one is to be created."""
    replaces: str | None = None
    """The Stripe invoice that a person edited, to be removed."""
    auto_advance: bool = False
    finalizes_at: datetime | None = None
    """When Stripe finalizes the invoice by itself."""
    automatic_tax: bool = False
    finalization: Finalization = Finalization.AT_ONCE
    adopt: bool = False
    """Return an existing invoice with another report unchanged: Postgres may have lost the record of it."""
    pauses: list[CollectionPause] = Field(default_factory=list)


class InvoiceBrief(Message):
    """The part of an invoice that its workflow needs. `amount` is in minor units."""

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
    """Part of Stripe's idempotency keys: rises when the invoice is resumed, rebuilt or adopted."""
    blocked_reason: str | None
    blocked_since: datetime | None
    poll_seconds: float
    """How long to wait for Stripe's finalization event before asking Stripe the first time, in seconds."""
    lines_digest: str = ""
    """The `lines_digest` of the lines that Stripe should have: ours, or those that a person accepted."""
    stripe_amount: int | None = None
    """The total of these lines, in minor units; None if it is `amount`."""
    charge_on: ChargeOn = ChargeOn.OWN
    finalization: Finalization = Finalization.AT_ONCE
    awaits_approval: bool = False
    """Whether the invoice is a draft that a person must approve first."""
    waits_until: datetime | None = None
    """For a draft in its grace: when late usage is added and it is finalized, shortly before Stripe would."""
    revision: int = 1
    blocked_kind: BlockedKind | None = None
    approved: bool = False
    """Whether a person has approved the amount: then no more late usage is added."""
    void_requested: bool = False
    replaces: str | None = None
    """The edited Stripe invoice that a new one replaces, until the new one is made."""
    paused_subscription: str | None = None
    """For an invoice that is not finalized: the account's subscription whose collection is paused, if there is one."""
    pauses: list[CollectionPause] = Field(default_factory=list)
    """For an invoice that is not finalized: the pauses of the account's subscriptions, also those that have ended."""
    in_one_step: bool = False
    """Whether one Stripe step creates and finalizes it. A history of before says no, and replays."""
    order: StripeInvoiceOrder | None = None
    """The order for that step, if its report was published recently."""

    @property
    def waits_for_stripe(self) -> bool:
        """Whether the invoice is blocked until something is changed in Stripe."""
        return self.blocked_kind in WAITS_FOR_STRIPE

    @property
    def tries_again(self) -> bool:
        """Whether the invoice is blocked and resumes by itself, at an event or daily."""
        return self.blocked_kind in TRIES_AGAIN


class LoadedInvoice(Message):
    """The loaded invoice; None if Postgres does not know the key."""

    invoice: InvoiceBrief | None
    waiting: list[str] = Field(default_factory=list)
    """The account's invoices that wait for their currency, if this one has just been paid or has died."""


class CustomerOrder(Message):
    """Asks for the account's Stripe customer, to be found by metadata or created."""

    attribution_id: str


class CustomerFound(Message):
    """The account's Stripe customer."""

    attribution_id: str
    stripe_customer_id: str


class StripeInvoiceRef(Message):
    """Names a Stripe invoice of ours, with what it should hold."""

    invoice_key: str
    stripe_invoice_id: str
    generation: int = 1
    stripe_customer_id: str | None = None
    """Its customer, which distinguishes a deleted invoice from an API key that cannot see the invoice."""
    currency: str = ""
    amount: int = 0
    lines_digest: str = ""
    """The digest of the lines that the draft must hold to be finalized; empty if unknown."""
    verified_at: datetime | None = None
    """When this run created and compared the same draft, if it did."""
    charge_on: ChargeOn = ChargeOn.OWN
    report_id: str = ""
    """The report that its metadata should name; empty if unknown."""
    finalization: Finalization = Finalization.AT_ONCE
    paused_subscription: str | None = None
    """A subscription of its account whose collection is paused, as far as Postgres knows."""
    pauses: list[CollectionPause] = Field(default_factory=list)
    blocked: bool = False
    """Whether a void asks for an invoice that is blocked: Stripe may have refused it because of its customer."""


class StripeInvoiceLine(Message):
    """A line as Stripe has it; `line_id` is our id, empty if the line is not ours."""

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
    total: int | None = None
    """The subtotal without the `discount` and with the `tax` that Stripe lists; None in a history of before."""
    discount: int = 0
    tax: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    lines: list[StripeInvoiceLine] = Field(default_factory=list)
    livemode: bool = False
    billing_reason: str = ""
    stripe_subscription_id: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    created: datetime | None = None
    attempt_count: int = 0
    """How often Stripe has tried to charge it."""
    found_finalized: bool = False
    """Whether it was finalized before we asked for it: Stripe's event may have come and gone."""
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    marked_uncollectible_at: datetime | None = None
    attribution_id: str | None = None
    """The account that its metadata names under STRIPE_ACCOUNT_KEY; known only if its owner is being identified."""
    auto_advance: bool = True
    """Whether Stripe finalizes and charges it by itself; also True if Stripe turned that off because it failed."""
    hold: Hold | None = None
    """Why the draft must not be finalized, if it was asked for."""
    collection_stopped: bool = False
    """Whether it is open, and Stripe no longer charges it by itself although its customer is charged automatically."""
    number: str | None = None
    hosted_invoice_url: str | None = None
    """What a customer knows a finalized invoice by: its number, and its page, open to anybody with the address."""


class StripeInvoiceCreated(Message):
    """The result of creating a Stripe invoice with its lines."""

    invoice_key: str
    stripe_invoice_id: str
    stripe_customer_id: str
    too_late: bool = False
    """Whether the subscription's draft was finalized or deleted before our lines were on it."""
    other_report: str | None = None
    """The report of an existing invoice, if it is not the order's; then nothing was done to it."""
    status: str = ""
    """Stripe's status, if the invoice has another report."""


class EditedFigures(Message):
    """Stripe's figures in place of ours: subtotal in minor units, and the `lines_digest` of its lines."""

    subtotal: int
    digest: str


class ReconcileInvoice(Message):
    """Asks to compare the books with Stripe's invoice, and to move our invoice's state accordingly."""

    invoice_key: str
    snapshot: StripeInvoiceSnapshot


class BlockInvoice(Message):
    """Asks to block an invoice after a permanent error, so that it waits for an operator."""

    invoice_key: str
    reason: str
    stripe_invoice_id: str | None = None
    stripe_customer_id: str | None = None
    """With `stripe_invoice_id`: the objects that the creation made in Stripe before it failed."""
    found: EditedFigures | None = None
    void_refused: bool = False
    """Whether Stripe refused to void it: a person must decide again."""
    kind: BlockedKind | None = None
    """What it waits for, if not for the end of an error or for a decision on `found`."""


class ApproveInvoice(PersonDecides):
    """A person approves the invoice at this amount, in minor units: ours, or Stripe's if it was edited there."""

    amount: int
    reason: str = ""


class RebuildInvoice(PersonDecides):
    """A person has the edited Stripe invoice replaced by one with our lines."""

    reason: str = ""


class VoidInvoice(PersonDecides):
    """A person has the invoice voided; with `write_off` its usage is never billed again."""

    reason: str
    write_off: bool


class Amended(Message):
    """Whether the invoice's claims have changed."""

    changed: bool


class InvoiceResult(Message):
    """The result of `InvoiceWorkflow` when it rests."""

    invoice_key: str
    state: InvoiceState | None
    """None if Postgres does not know the invoice."""


class StripeEvent(Message):
    """A Stripe event, used as a wake-up and not as a fact: its subject is fetched again."""

    event_id: str
    type: str
    created: datetime
    shows_pause: bool = False
    """Whether it is of a subscription whose collection was paused: Stripe tells the time of a pause in no other way."""
