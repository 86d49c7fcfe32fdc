"""Messages of billing periods, their batches and schedules."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


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
    held: str | None = None
    """Why the whole period waits for a person; then no page is given."""


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
    amendable: list[str] = Field(default_factory=list)
    """Of these, drafts that wait by their policy: they are told to claim late usage."""


class BatchResult(Message):
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


class ApprovePeriod(Message):
    """A person lets a period go that a brake holds, at these totals: minor units by currency."""

    period: str
    totals: dict[str, int]
    by: str


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
    blocked_accounts: int = 0
    """Accounts without an invoice, because their usage cannot be priced."""
    waiting: list[Blocked]
    """At most 100 of the blocked."""
    oldest_open_since: datetime | None = None


class PeriodResult(Message):
    """The result of a period's run."""

    period: str
    batches: int
    invoices: int
    progress: PeriodProgress


class ScheduledPeriodInput(Message):
    """Starts `ScheduledPeriodWorkflow`, the action of the monthly schedule."""

    time_zone: str
