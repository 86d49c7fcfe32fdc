"""What a person has the billing worker record, by an activity without a workflow."""

from datetime import datetime

from pydantic import Field

from billing.decided import HERE, DecidedFrom
from billing.invoice.credit_notes import CreditDestination, CreditKind, CreditNoteState
from contracts.messages.base import Message


class RecordDecisions(Message):
    """A decision on each of these subjects, which Temporal carries out; `kind` as the trail names it.

    `request`: an id of the request, so that a repetition adds nothing to the trail. `at`: when it was decided, if that
    is before a worker records it.
    """

    request: str
    kind: str
    subjects: list[str]
    by: str
    reason: str = ""
    place: DecidedFrom = HERE
    at: datetime | None = None


class RequestCredit(Message):
    """A credit note to make: of an amount in minor units, a line, or an instance's share; the same request is one."""

    invoice_key: str
    kind: CreditKind
    reason: str
    settle_to: CreditDestination = CreditDestination.BALANCE
    reference: str | None = None
    amount: int | None = None
    line_no: int | None = None
    instance_id: str | None = None
    by: str
    place: DecidedFrom = HERE


class CreditRequested(Message):
    """The credit note, and whether it is new. `amount` is in minor units, before tax."""

    credit_note_key: str
    made: bool
    state: CreditNoteState
    amount: int
    currency: str


class CorrectInvoice(Message):
    """A correction of an invoice, with the ordinal and the net, in minor units, that the person has seen planned.

    `reprice`: by the present rate card, not the invoice's own.
    """

    invoice_key: str
    ordinal: int
    net: int
    reprice: bool = False
    reason: str
    settle_to: CreditDestination = CreditDestination.BALANCE
    by: str
    place: DecidedFrom = HERE


class InvoiceCorrected(Message):
    """The key of the correction, None if there was nothing to correct, and whether it is new."""

    correction_key: str | None
    made: bool


class ChangePolicy(Message):
    """Changes of an account's policy, by the setting's name: a value, `default`, or `off`.

    `seen`: settings as the person has seen them; if one of them has changed, nothing is changed.
    """

    attribution_id: str
    changes: dict[str, str] = Field(default_factory=dict)
    seen: dict[str, str] = Field(default_factory=dict)
    by: str
    reason: str = ""
    place: DecidedFrom = HERE


class DecideWarning(Message):
    """A warning to accept, or to report again."""

    kind: str
    subject: str
    by: str
    reason: str = ""
    place: DecidedFrom = HERE


class Recorded(Message):
    """Whether anything is different from before."""

    changed: bool
