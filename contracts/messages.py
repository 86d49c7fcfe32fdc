"""What workflows and activities say to each other: ids and small totals, never usage rows.

Fields may be added with a default; none may be renamed or removed while histories that hold it live.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from billing.invoice import InvoiceReason, InvoiceState


class Message(BaseModel):
    """Immutable; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


# --- billing periods


class PeriodInput(Message):
    """Starts `BillingPeriodWorkflow`; the later fields carry a run over continue-as-new."""

    period: str
    attribution_id: str | None = None
    after: str = ""
    batches: int = 0
    invoices: int = 0
    failed: list[str] = Field(default_factory=list)


class Page(Message):
    """The accounts with `after` < attribution id ≤ `through`, in byte order."""

    after: str
    through: str


class PlanPages(Message):
    """Asks for the next pages of accounts after `after`."""

    period: str
    attribution_id: str | None = None
    after: str
    most: int


class PagePlan(Message):
    """Pages in order; `more` when there are accounts after the last."""

    pages: list[Page]
    more: bool


class BatchInput(Message):
    """Starts `BillingBatchWorkflow` on one page of a period."""

    period: str
    number: int
    page: Page
    attribution_id: str | None = None


class PageClaimed(Message):
    """The invoices to drive: made now, or found unsettled from an earlier run."""

    made: int
    below_minimum: int
    blocked: int
    invoice_keys: list[str]


class BatchOutcome(Message):
    """What became of a batch's invoices."""

    invoices: int
    settled: int
    parked: list[str]
    elsewhere: int
    """Invoices whose workflow was already running under another parent."""


class PeriodRef(Message):
    """Names a billing period, or one account of it."""

    period: str
    attribution_id: str | None = None


class Blocked(Message):
    """An invoice, or an account without one, that waits for an operator."""

    subject: str
    reason: str
    since: datetime


class PeriodProgress(Message):
    """Counts and totals of a period's invoices by state."""

    counts: dict[str, int]
    totals: dict[str, dict[str, int]]
    """By state, then currency: minor units."""
    open: int
    blocked: int
    below_minimum: int
    waiting: list[Blocked]
    """At most 100 of the blocked."""
    oldest_open_since: datetime | None = None


class PeriodOutcome(Message):
    """The result of a period's run."""

    period: str
    batches: int
    invoices: int
    progress: PeriodProgress


class ScheduledPeriodInput(Message):
    """Starts `ScheduledPeriodWorkflow`, the action of the monthly schedule."""

    time_zone: str


# --- invoices


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
    blocked_reason: str | None
    blocked_since: datetime | None
    poll_seconds: float
    """The first wait for Stripe's finalization before it is asked."""


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
    """Everything that creates one Stripe invoice; the same for every attempt, so that requests are byte-stable."""

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
    claimed_at: datetime


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


# --- subscriptions and accounts


class SubscriptionRef(Message):
    """Names a Stripe subscription."""

    stripe_subscription_id: str


class StripeSubscriptionSnapshot(Message):
    """A Stripe subscription as last fetched; `attribution_id` from its metadata, else its customer's."""

    stripe_subscription_id: str
    stripe_customer_id: str
    status: str
    currency: str
    attribution_id: str | None
    started: datetime
    ended: datetime | None


class ApplySubscription(Message):
    """Bring the account's windows in step."""

    subscription: StripeSubscriptionSnapshot
    seen_at_creation: bool
    """Whether Stripe has just created it: then its own start bounds what a new account is charged for."""


class SubscriptionApplied(Message):
    """The account that the subscription belongs to; none when it is not ours."""

    attribution_id: str | None
    ended: datetime | None
    note: str


class ClaimCancellation(Message):
    """Claim an account's usage up to its cancellation."""

    attribution_id: str
    stripe_subscription_id: str
    cutoff: datetime


class CancellationClaimed(Message):
    """The settlement's invoice; none when there was nothing to bill, or too little."""

    invoice_key: str | None
    note: str


class SubscriptionOutcome(Message):
    """The result of `SubscriptionWorkflow` when it rests."""

    stripe_subscription_id: str
    note: str


class StripeAccount(Message):
    """A Stripe customer that names an attribution id, with its subscriptions."""

    attribution_id: str
    stripe_customer_id: str
    currency: str
    subscriptions: list[StripeSubscriptionSnapshot]


class AccountsSyncInput(Message):
    """Starts `AccountsSyncWorkflow`. `bill_after` is for accounts that are seen for the first time."""

    bill_after: datetime
    cursor: str | None = None
    seen: int = 0
    stored: int = 0
    faults: list[str] = Field(default_factory=list)


class ListStripeAccounts(Message):
    """Asks for a page of Stripe's customers."""

    cursor: str | None


class StripeAccountsPage(Message):
    """`accounts` with an attribution id among `seen` customers; `cursor` when there are more."""

    accounts: list[StripeAccount]
    seen: int
    faults: list[str]
    cursor: str | None


class StoreStripeAccounts(Message):
    """Store a page of accounts and their windows."""

    accounts: list[StripeAccount]
    bill_after: datetime


class StripeAccountsStored(Message):
    """How many were stored, and why others were not: one line each."""

    stored: int
    faults: list[str]


class AccountsSyncOutcome(Message):
    """The result of a sync."""

    seen: int
    stored: int
    faults: list[str]
