"""Messages of subscriptions, cancellations and accounts."""

from datetime import datetime

from pydantic import Field

from billing.accounts.pauses import PauseBehavior
from contracts.messages.base import Message


class SubscriptionRef(Message):
    """Names a Stripe subscription."""

    stripe_subscription_id: str
    seen_at_creation: bool = False
    """Carried across continue-as-new."""
    blocked_by: str = ""
    """The reason that was logged last, carried likewise."""


class PausedCollection(Message):
    """A pause of a subscription's collection that is in force; Stripe does not say since when."""

    behavior: PauseBehavior
    resumes_at: datetime | None = None


class StripeSubscriptionSnapshot(Message):
    """A Stripe subscription as last fetched; `attribution_id` is from its metadata, or else from its customer's."""

    stripe_subscription_id: str
    stripe_customer_id: str
    status: str
    currency: str
    attribution_id: str | None
    started: datetime
    ended: datetime | None
    created: datetime | None = None
    part: int = 1
    """Always 1: earlier releases numbered the times around a pause."""
    trial_start: datetime | None = None
    trial_end: datetime | None = None
    billing_cycle_anchor: datetime | None = None
    cycle_start: datetime | None = None
    cycle_end: datetime | None = None
    """The present cycle; of several items with different intervals, that of the item which renews first."""
    latest_invoice: str | None = None
    latest_invoice_draft_since: datetime | None = None
    """When Stripe created the latest invoice, if it is still a draft."""
    pause: PausedCollection | None = None


class ApplySubscription(Message):
    """Asks to synchronize the account's windows with the subscription."""

    subscription: StripeSubscriptionSnapshot
    seen_at_creation: bool
    """Whether Stripe has just created it: then a new account is charged from the subscription's start on."""
    heard: datetime | None = None
    """The time of Stripe's event, for times that the subscription itself does not give."""
    pause_heard: datetime | None = None
    """The time of the earliest event that showed the subscription's pause, if one was heard."""
    collected_heard: list[datetime] = Field(default_factory=list)
    """The times of events that showed the subscription without a pause."""
    looked_at: list[str] = Field(default_factory=list)
    """Other subscriptions of the account whose windows are known to be synchronized."""


class SubscriptionApplied(Message):
    """The result of synchronizing windows. `attribution_id` is None if the subscription is not ours.

    If the subscription has `ended`, the account's usage up to then is to be claimed.
    """

    attribution_id: str | None
    ended: datetime | None
    note: str
    overlaps: str | None = None
    """Another subscription that is open in Postgres and must be refreshed first; then nothing was changed."""
    final_draft: str | None = None
    """The draft that Stripe made for the cancellation, on which the usage up to `ended` is charged."""
    paused: bool = False
    """Whether `ended` is the start of a pause, not a cancellation."""
    currency: str | None = None
    """The subscription's."""
    waiting: list[str] = Field(default_factory=list)
    """The keys of invoices that waited for the collection of payments, which is not paused any more."""


class ClaimCancellation(Message):
    """Asks to claim an account's usage up to its cancellation."""

    attribution_id: str
    stripe_subscription_id: str
    cutoff: datetime
    paused: bool = False


class SubscriptionDraft(Message):
    """A draft that Stripe made for a subscription; usage up to `cutoff` belongs on it."""

    attribution_id: str
    stripe_invoice_id: str
    cutoff: datetime
    currency: str | None = None
    """The draft's: usage of windows in another one is not put on it. None if it is not known."""
    stripe_subscription_id: str | None = None
    cycle_start: datetime | None = None
    """The start of the cycle that ends at `cutoff`, by the draft itself; None on the subscription's last draft."""


class SubscriptionFault(Message):
    """Why a subscription waits for a person."""

    stripe_subscription_id: str
    reason: str


class CancellationClaimed(Message):
    """The invoice of a final claim; None if there was nothing to bill, or too little."""

    invoice_key: str | None
    note: str
    customer_lacks: str = ""
    """What Stripe's customer lacks for an invoice, and what to do: then nothing was claimed."""


class SubscriptionResult(Message):
    """The result of `SubscriptionWorkflow` when it rests."""

    stripe_subscription_id: str
    note: str


class StripeAccount(Message):
    """A Stripe customer with those of its subscriptions that the page holds."""

    attribution_id: str
    """From its metadata or its subscriptions'; empty if none names it: Postgres may know the customer."""
    stripe_customer_id: str
    currency: str
    subscriptions: list[StripeSubscriptionSnapshot]
    currency_known: bool = True
    """Whether `currency` is the customer's or a subscription's; if not, Postgres has to choose another one."""
    name: str | None = Field(default=None, repr=False)
    """The customer's, for people to read. None if it has none, or an older worker has listed it."""


class AccountsSyncInput(Message):
    """Starts `AccountsSyncWorkflow`. `bill_after` applies to accounts that are seen for the first time."""

    bill_after: datetime
    cursor: str | None = None
    seen: int = 0
    stored: int = 0
    faults: list[str] = Field(default_factory=list)


class ListStripeAccounts(Message):
    """Asks for a page of Stripe's customers."""

    cursor: str | None


class StripeAccountsPage(Message):
    """A page of `seen` customers, with their `accounts`; `cursor` is None on the last page."""

    accounts: list[StripeAccount]
    seen: int
    faults: list[str]
    cursor: str | None


class StoreStripeAccounts(Message):
    """Asks to store a page of accounts and their windows."""

    accounts: list[StripeAccount]
    bill_after: datetime


class StripeAccountsStored(Message):
    """The number of stored accounts, and why others were not stored, a line each."""

    stored: int
    faults: list[str]


class AccountsSyncResult(Message):
    """The result of `AccountsSyncWorkflow`."""

    seen: int
    stored: int
    faults: list[str]
