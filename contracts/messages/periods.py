"""Messages of billing periods, their batches and schedules."""

from datetime import datetime

from pydantic import Field

from billing.decided import HERE, DecidedFrom
from contracts.messages.base import Message


class PeriodInput(Message):
    """Starts `BillingPeriodWorkflow`; the fields from `after` on carry a run across continue-as-new."""

    period: str
    attribution_id: str | None = None
    after: str = ""
    batches: int = 0
    invoices: int = 0
    failed: list[str] = Field(default_factory=list)
    fetch_began: datetime | None = None
    """When the fetch began that this run continues."""
    without_sources: list[str] = Field(default_factory=list)
    """The sources that a person has decided not to wait for."""
    asking_since: datetime | None = None
    """When this pass over the accounts began to ask Stripe about customers. None if no setting needs it."""
    customers_cursor: str | None = None
    """Where the list of all customers goes on that this run continues, before any account is claimed."""


class Page(Message):
    """The accounts with `after` < attribution id ≤ `through`, in byte order."""

    after: str
    through: str


class PlanPages(Message):
    """Asks for at most `most` pages of accounts after `after`."""

    period: str
    attribution_id: str | None = None
    after: str
    most: int


class CustomersPlan(Message):
    """About how many customers Stripe is to be asked about, and whether about their locations."""

    to_ask: int
    location: bool


class PagePlan(Message):
    """Pages in order; `more` says whether there are accounts after the last page."""

    pages: list[Page]
    more: bool
    held: str | None = None
    """Why the whole period is held; then there are no pages."""
    customers: CustomersPlan | None = None
    """What Stripe is to be asked about customers first. None if no setting needs anything of them."""


class BatchInput(Message):
    """Starts `BillingBatchWorkflow` for one page of a period."""

    period: str
    number: int
    page: Page
    attribution_id: str | None = None
    asking_since: datetime | None = None
    """If set, Stripe is asked first about customers that may lack something, as of this time."""


class PageClaimed(Message):
    """The result of claiming one page: the invoices to drive, made now or unsettled from an earlier run."""

    made: int
    below_minimum: int
    blocked: int
    invoice_keys: list[str]
    amendable: list[str] = Field(default_factory=list)
    """Drafts among them that wait by their policy: they get a signal to claim late usage."""


class BatchResult(Message):
    """The result of `BillingBatchWorkflow`: counts of its invoices, and the keys of the parked ones."""

    invoices: int
    settled: int
    parked: list[str]
    elsewhere: int
    """Invoices whose workflow was already running under another parent."""


class PeriodRef(Message):
    """Names a billing period, or one account of it."""

    period: str
    attribution_id: str | None = None


class ApprovePeriod(Message):
    """A person approves a held period at these totals, in minor units by currency, or without a source."""

    period: str
    totals: dict[str, int]
    by: str
    without_source: str | None = None
    """The source that is not waited for; then the totals are not approved."""
    reason: str = ""
    place: DecidedFrom = HERE


class Blocked(Message):
    """An invoice, or an account without one, that waits for an operator."""

    subject: str
    reason: str
    since: datetime


class PeriodProgress(Message):
    """The counts and totals of a period's invoices by state."""

    counts: dict[str, int]
    totals: dict[str, dict[str, int]]
    """Minor units, by state and then currency."""
    open: int
    blocked: int
    below_minimum: int
    blocked_accounts: int = 0
    """The number of accounts without an invoice because their usage cannot be priced."""
    waiting: list[Blocked]
    """The blocked invoices and accounts, at most 100."""
    oldest_open_since: datetime | None = None


class PeriodResult(Message):
    """The result of a period's run."""

    period: str
    batches: int
    invoices: int
    progress: PeriodProgress
    without_sources: list[str] = Field(default_factory=list)
    """The sources that the period was billed without, by a person's decision."""


class ScheduledPeriodInput(Message):
    """Starts `ScheduledPeriodWorkflow`, the action of the monthly schedule."""

    time_zone: str
