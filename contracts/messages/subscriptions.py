"""Messages of subscriptions, cancellations and accounts."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


class SubscriptionRef(Message):
    """Names a Stripe subscription."""

    stripe_subscription_id: str
    seen_at_creation: bool = False
    """Carried over continue-as-new."""


class StripeSubscriptionSnapshot(Message):
    """A Stripe subscription as last fetched; `attribution_id` from its metadata, else its customer's."""

    stripe_subscription_id: str
    stripe_customer_id: str
    status: str
    currency: str
    attribution_id: str | None
    started: datetime
    ended: datetime | None
    created: datetime | None = None
    part: int = 1
    """Before and after a pause a subscription has a window each: 1, 2."""
    trial_end: datetime | None = None
    billing_cycle_anchor: datetime | None = None
    latest_invoice: str | None = None
    latest_invoice_draft_since: datetime | None = None
    """When Stripe made it, if it is still a draft."""


class ApplySubscription(Message):
    """Bring the account's windows in step."""

    subscription: StripeSubscriptionSnapshot
    seen_at_creation: bool
    """Whether Stripe has just created it: then its own start bounds what a new account is charged for."""
    heard: datetime | None = None
    """When Stripe had news of it, for what the subscription itself does not tell."""
    looked_at: list[str] = Field(default_factory=list)
    """Other subscriptions of the account whose windows are known to be in step."""


class SubscriptionApplied(Message):
    """The account that the subscription belongs to; none when it is not ours. `ended`: to be settled up to then."""

    attribution_id: str | None
    ended: datetime | None
    note: str
    overlaps: str | None = None
    """Nothing was changed: this other subscription is open in Postgres, and to be looked at first."""
    final_draft: str | None = None
    """Stripe's draft of the cancellation, on which the usage up to `ended` is charged."""
    paused: bool = False
    """`ended` is where a pause begins, not a cancellation."""


class ClaimCancellation(Message):
    """Claim an account's usage up to its cancellation."""

    attribution_id: str
    stripe_subscription_id: str
    cutoff: datetime
    paused: bool = False


class SubscriptionDraft(Message):
    """A draft that Stripe made for a subscription, and up to when usage belongs on it."""

    attribution_id: str
    stripe_invoice_id: str
    cutoff: datetime


class SubscriptionFault(Message):
    """Why a subscription waits for a person."""

    stripe_subscription_id: str
    reason: str


class CancellationClaimed(Message):
    """The settlement's invoice; none when there was nothing to bill, or too little."""

    invoice_key: str | None
    note: str


class SubscriptionResult(Message):
    """The result of `SubscriptionWorkflow` when it rests."""

    stripe_subscription_id: str
    note: str


class StripeAccount(Message):
    """A Stripe customer with its subscriptions, as far as a page holds them."""

    attribution_id: str
    """As its metadata, or its subscriptions', name it; empty when none does: it may be known by its customer."""
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


class AccountsSyncResult(Message):
    """The result of a sync."""

    seen: int
    stored: int
    faults: list[str]
