"""Messages of the audit: ids and small totals; what is found is read from PostgreSQL."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from contracts.messages.base import Message


class AuditRef(Message):
    """One run of the audit, and what it is over."""

    audit_id: str
    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None


class CheckResult(Message):
    """A check that was made."""

    check: str
    figures: dict[str, int | str]
    discrepancies: int


class ChecksMade(Message):
    """Several."""

    checks: list[CheckResult]


class StripePage(Message):
    """Where a listing of Stripe's goes on. `customers` still to be listed, the first one now; none: all customers."""

    customers: list[str] | None = None
    stripe_invoice_id: str | None = None
    """Of this invoice alone; for credit notes."""
    created_from: datetime | None = None
    after: str | None = None
    after_created: datetime | None = None
    """When `after` was made, should it have been deleted since."""


class AuditPhase(StrEnum):
    """The phases of an audit, in their order."""

    BEGIN = "begin"
    DATABASE = "database"
    REPORTS = "reports"
    INVOICES = "invoices"
    SUSPECTS = "suspects"
    CREDIT_NOTES = "credit_notes"
    NOTE_SUSPECTS = "note_suspects"
    FINISH = "finish"


class AuditState(Message):
    """How far an audit is, so that it can be continued as a new run."""

    audit_id: str
    phase: AuditPhase = AuditPhase.BEGIN
    """The phase that is next, or that goes on."""
    page: StripePage | None = None
    """Where Stripe's listing goes on."""
    listed: StripePage | None = None
    """Where Stripe's listings begin."""
    look_again_after: timedelta = timedelta(0)
    after: str = ""
    """Where a listing of ours goes on: the key or the Stripe id that was done last."""
    figures: dict[str, int] = Field(default_factory=dict)
    """Of the phase that goes on."""
    looks: int = 0
    """How often what differed was looked at again."""
    checks: list[CheckResult] = Field(default_factory=list)
    """Those that are made."""
    not_made: dict[str, str] = Field(default_factory=dict)
    """Those that cannot be made, by name, and why."""


class AuditInput(Message):
    """Starts `AuditWorkflow`, by default over everything."""

    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None
    """From what age on what waits is stuck; none: as the billing worker is set."""
    state: AuditState | None = None
    """Of a run that is continued as this one."""


class AuditResult(Message):
    """The result of `AuditWorkflow`."""

    audit_id: str
    checks: list[CheckResult]
    discrepancies: int
    not_made: dict[str, str] = Field(default_factory=dict)
    """Checks that could not be made, by name, and why: the audit is not clean."""

    @property
    def clean(self) -> bool:
        """Whether every check was made and found nothing."""
        return not self.discrepancies and not self.not_made


class AuditPlan(Message):
    """An audit that was begun: where Stripe's lists begin, and from what age on what waits is stuck."""

    stuck_after: timedelta
    page: StripePage | None
    """None: its accounts have no customer in Stripe, so that there is nothing to list."""


class CheckOrder(Message):
    """Asks for one check of one audit."""

    audit: AuditRef
    check: str


class CheckNotMade(Message):
    """A check that failed for good, and why."""

    audit: AuditRef
    check: str
    reason: str


class AuditPage(Message):
    """Asks for the page of an audit's invoices that follows a key, or a Stripe id."""

    audit: AuditRef
    after: str = ""


class PageAudited(Message):
    """A page that was checked; `through`: where the next one begins, none after the last."""

    through: str | None
    figures: dict[str, int]


class RecordCheck(Message):
    """Asks to record checks whose pages are done, with their figures."""

    audit: AuditRef
    figures: dict[str, dict[str, int]]


class StripeInvoiceFacts(Message):
    """What of a Stripe invoice is compared. `status` is Stripe's, or `deleted`; amounts in minor units.

    `lines_digest` of all lines, `our_amount` and `our_lines_digest` of those that carry our metadata.
    """

    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None = None
    currency: str = ""
    subtotal: int = 0
    lines_digest: str = ""
    our_amount: int = 0
    our_lines_digest: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Ours alone."""
    changed_at: datetime | None = None
    """When its status last changed."""


class StripeInvoicesListed(Message):
    """A page of at most 100: those that carry our metadata, and how many there were in all."""

    invoices: list[StripeInvoiceFacts]
    seen: int
    next: StripePage | None


class StageInvoices(Message):
    """Compares a page of Stripe's list with Postgres, and keeps which of them differ."""

    audit: AuditRef
    invoices: list[StripeInvoiceFacts]


class Suspect(Message):
    """A Stripe invoice that differs, or that the list lacked."""

    stripe_invoice_id: str
    invoice_key: str
    stripe_customer_id: str | None


class Suspects(Message):
    """A page of them, in the order of their Stripe ids."""

    suspects: list[Suspect]
    through: str | None


class InvoicesRefreshed(Message):
    """What Stripe has of suspects now."""

    invoices: list[StripeInvoiceFacts]


class JudgeInvoices(Message):
    """Compares suspects as they are now: what still differs and is not in motion is a finding."""

    audit: AuditRef
    invoices: list[StripeInvoiceFacts]
    at_last: bool = False
    """Whatever is in motion."""


class Judged(Message):
    """How many are in motion still, and when to look again."""

    in_motion: int
    look_again_after: timedelta


class StripeCreditNoteFacts(Message):
    """What of a credit note of Stripe's is compared. `amount` in minor units, before tax."""

    stripe_credit_note_id: str
    stripe_invoice_id: str
    credit_note_key: str | None
    amount: int
    voided: bool
    changed_at: datetime
    """When it was made or voided."""


class StripeCreditNotesListed(Message):
    """A page of at most 100."""

    credit_notes: list[StripeCreditNoteFacts]
    next: StripePage | None


class StageCreditNotes(Message):
    """Keeps a page of Stripe's credit notes, for the comparison with Postgres."""

    audit: AuditRef
    credit_notes: list[StripeCreditNoteFacts]


class CreditNoteSuspects(Message):
    """Stripe invoices whose credit notes differ from ours, in order."""

    stripe_invoice_ids: list[str]
    through: str | None


class JudgeCreditNotes(Message):
    """Compares an invoice's credit notes as they are now: what still differs and is not in motion is a finding."""

    audit: AuditRef
    stripe_invoice_id: str
    credit_notes: list[StripeCreditNoteFacts]
    at_last: bool = False
    """Whatever is in motion."""
