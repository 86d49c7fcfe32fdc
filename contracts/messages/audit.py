"""Messages of the audit: ids and small totals. The findings themselves stay in PostgreSQL."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from contracts.messages.base import Message


class AuditRef(Message):
    """Names a run of the audit, with its scope."""

    audit_id: str
    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None


class CheckResult(Message):
    """The result of one check."""

    check: str
    figures: dict[str, int | str]
    discrepancies: int


class ChecksMade(Message):
    """The results of several checks."""

    checks: list[CheckResult]


class StripePage(Message):
    """Where a listing of Stripe's objects continues.

    `customers` remain to be listed, the first one now; None means all customers.
    """

    customers: list[str] | None = None
    stripe_invoice_id: str | None = None
    """The only invoice to list; for credit notes."""
    created_from: datetime | None = None
    after: str | None = None
    after_created: datetime | None = None
    """When `after` was created, in case it has been deleted since."""


class AuditPhase(StrEnum):
    """The phases of an audit, in order."""

    BEGIN = "begin"
    DATABASE = "database"
    REPORTS = "reports"
    INVOICES = "invoices"
    SUSPECTS = "suspects"
    CREDIT_NOTES = "credit_notes"
    NOTE_SUSPECTS = "note_suspects"
    FINISH = "finish"


class AuditState(Message):
    """The progress of an audit, with which it continues as a new run."""

    audit_id: str
    phase: AuditPhase = AuditPhase.BEGIN
    """The phase to start or to continue."""
    page: StripePage | None = None
    """Where Stripe's listing continues."""
    listed: StripePage | None = None
    """Where Stripe's listings begin."""
    look_again_after: timedelta = timedelta(0)
    after: str = ""
    """Where a listing of ours continues: the last key or Stripe id that is done."""
    figures: dict[str, int] = Field(default_factory=dict)
    """The figures of the current phase."""
    looks: int = 0
    """How often the suspects were compared again."""
    checks: list[CheckResult] = Field(default_factory=list)
    """The results so far."""
    not_made: dict[str, str] = Field(default_factory=dict)
    """Why checks could not be made, by name."""


class AuditInput(Message):
    """Starts `AuditWorkflow`, by default over everything."""

    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None
    """The age from which anything that waits counts as stuck; None for the billing worker's setting."""
    state: AuditState | None = None
    """The progress of the run that this one continues."""


class AuditResult(Message):
    """The result of `AuditWorkflow`."""

    audit_id: str
    checks: list[CheckResult]
    discrepancies: int
    not_made: dict[str, str] = Field(default_factory=dict)
    """Why checks could not be made, by name; if there are any, the audit is not clean."""

    @property
    def clean(self) -> bool:
        """Whether every check was made and found nothing."""
        return not self.discrepancies and not self.not_made


class AuditPlan(Message):
    """The plan of an audit: where Stripe's lists begin, and the age from which anything that waits counts as stuck."""

    stuck_after: timedelta
    page: StripePage | None
    """None if the accounts have no customer in Stripe, so that there is nothing to list."""


class CheckOrder(Message):
    """Asks for one check of an audit."""

    audit: AuditRef
    check: str


class CheckNotMade(Message):
    """A check that failed permanently, and why."""

    audit: AuditRef
    check: str
    reason: str


class AuditPage(Message):
    """Asks for the page of an audit's invoices after a key or a Stripe id."""

    audit: AuditRef
    after: str = ""


class PageAudited(Message):
    """The result of checking a page. The next page begins after `through`, which is None on the last page."""

    through: str | None
    figures: dict[str, int]


class RecordCheck(Message):
    """Asks to record finished checks, with their figures."""

    audit: AuditRef
    figures: dict[str, dict[str, int]]


class StripeInvoiceFacts(Message):
    """The compared facts of a Stripe invoice. `status` is Stripe's, or `deleted`; amounts are in minor units.

    `total` should be the `subtotal` without the `discount` and with the `tax` that Stripe lists; None if unknown.
    `lines_digest` covers all lines; `our_amount` and `our_lines_digest` cover the lines that carry our metadata.
    """

    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None = None
    currency: str = ""
    subtotal: int = 0
    total: int | None = None
    discount: int = 0
    tax: int = 0
    lines_digest: str = ""
    our_amount: int = 0
    our_lines_digest: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Only our keys."""
    changed_at: datetime | None = None
    """When the status last changed."""
    collection_stopped: bool = False
    number: str | None = None
    hosted_invoice_url: str | None = None
    """These as in the snapshot."""


class StripeInvoicesListed(Message):
    """A page of at most 100 invoices: those that carry our metadata, and the number of all."""

    invoices: list[StripeInvoiceFacts]
    seen: int
    next: StripePage | None


class StageInvoices(Message):
    """Asks to compare a page of Stripe's list with Postgres, and to store which invoices differ."""

    audit: AuditRef
    invoices: list[StripeInvoiceFacts]


class Suspect(Message):
    """A Stripe invoice that differs, or that is missing in Stripe's list."""

    stripe_invoice_id: str
    invoice_key: str
    stripe_customer_id: str | None


class Suspects(Message):
    """A page of suspects, in the order of their Stripe ids."""

    suspects: list[Suspect]
    through: str | None


class InvoicesRefreshed(Message):
    """The suspects as Stripe has them now."""

    invoices: list[StripeInvoiceFacts]


class JudgeInvoices(Message):
    """Asks to compare suspects as they are now: a difference that is not in motion is a finding."""

    audit: AuditRef
    invoices: list[StripeInvoiceFacts]
    at_last: bool = False
    """Whether a difference in motion is a finding too."""


class Judged(Message):
    """How many suspects are still in motion, and when to compare again."""

    in_motion: int
    look_again_after: timedelta


class StripeCreditNoteFacts(Message):
    """The compared facts of a Stripe credit note. `amount` is in minor units, before tax, `total` with it."""

    stripe_credit_note_id: str
    stripe_invoice_id: str
    credit_note_key: str | None
    amount: int
    voided: bool
    changed_at: datetime
    """When it was created or voided."""
    total: int | None = None


class StripeCreditNotesListed(Message):
    """A page of at most 100 credit notes."""

    credit_notes: list[StripeCreditNoteFacts]
    next: StripePage | None


class StageCreditNotes(Message):
    """Asks to store a page of Stripe's credit notes, for the comparison with Postgres."""

    audit: AuditRef
    credit_notes: list[StripeCreditNoteFacts]


class CreditNoteSuspects(Message):
    """A page of Stripe invoices, in order, whose credit notes differ from ours."""

    stripe_invoice_ids: list[str]
    through: str | None


class JudgeCreditNotes(Message):
    """Asks to compare an invoice's credit notes as they are now: a difference that is not in motion is a finding."""

    audit: AuditRef
    stripe_invoice_id: str
    credit_notes: list[StripeCreditNoteFacts]
    at_last: bool = False
    """Whether a difference in motion is a finding too."""
