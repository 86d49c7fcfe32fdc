"""A statement: one invoice with its lines, the instances of each line, and what makes the total of them.

Amounts of lines and below are in major units where they are exact shares, and in minor units where they are money that
is asked for. Everything that is shown adds up: items and the rest to their line, lines to the subtotal, and the
subtotal with the adjustments to the total.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from billing.invoice.key import InvoiceReason
from billing.invoice.record import InvoiceLineRecord
from billing.money import exponent

_MORE_DECIMALS = 4
EDITED = "Edited in Stripe"
"""The adjustment that says what an edit in Stripe changes that a person accepted."""


class StatementMark(StrEnum):
    """What the statement is of: an invoice, a preview of one, or an invoice that is not owed."""

    PREVIEW = "preview"
    """The invoice is not finalized: its figures can change."""
    REVIEW = "review"
    """The invoice is finalized, and waits for a person since."""
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOIDED = "voided"
    DELETED = "deleted"


def item_decimals(currency: str) -> int:
    """Return the decimals of an item's amount: four more than the currency has."""
    return exponent(currency) + _MORE_DECIMALS


@dataclass(frozen=True, slots=True)
class StatementItem:
    """One instance on one line, at one quantity: all of its intervals there.

    `start` is that of the first interval, `end` that of the last. `duration_us` is the sum of the `intervals`, without
    the quantity. `credits` have six decimals; `amount` is in major units with `item_decimals`.
    """

    line_no: int
    instance_id: str
    workspace_id: str | None
    project_id: str | None
    start: datetime
    end: datetime
    intervals: int
    duration_us: int
    quantity: Decimal
    credits: Decimal
    amount: Decimal


class StatementItems(Protocol):
    """The items of a statement, kept outside of memory. One iteration at a time."""

    def of_line(self, line_no: int) -> Iterator[StatementItem]:
        """Yield the line's items, by instance id and start."""


@dataclass(frozen=True)
class StatementLine:
    """A line of the invoice with the number of its items, and what it has beyond them.

    `rest_credits` and `rest_amount` (major units) are what rounding adds or takes; of a line of tiers, all of it.
    """

    record: InvoiceLineRecord
    items: int
    rest_credits: Decimal
    rest_amount: Decimal


@dataclass(frozen=True)
class StatementProject:
    """The items of one project, or of the instances without a project (None). `amount` in major units."""

    project_id: str | None
    items: int
    duration_us: int
    credits: Decimal
    amount: Decimal


@dataclass(frozen=True)
class StatementExtent:
    """What a page must have room for: the longest texts and the largest figures of all items, and which columns."""

    items: int = 0
    instance: int = 0
    workspace: int = 0
    project: int = 0
    intervals: int = 1
    duration_us: int = 0
    credits: Decimal = Decimal(0)
    seconds: bool = False
    quantities: bool = False


@dataclass(frozen=True)
class Adjustment:
    """What changes the subtotal into the total: discounts, tax, other lines. `amount` in minor units, signed."""

    what: str
    amount: int


@dataclass(frozen=True)
class StatementCredit:
    """An issued credit note of the invoice. `amount` in minor units, before tax."""

    reference: str
    stripe_credit_note_id: str | None
    reason: str
    amount: int
    issued_at: datetime | None


@dataclass(frozen=True)
class StatementRefund:
    """A refund of the invoice's payment. `amount` in minor units; `status` is Stripe's."""

    stripe_refund_id: str
    amount: int
    status: str
    reason: str
    created_at: datetime


@dataclass(frozen=True)
class Statement:
    """An invoice's statement. `amount` is the subtotal of the lines, in minor units of `currency`.

    `total` is the subtotal with the `adjustments`: Stripe's total, once the invoice is finalized there and it is
    `total_known`. `number` is Stripe's; None if it is not recorded. `start` is None if the invoice bills its period
    from the period's start. `projects` is empty if there is none, or too many to list.
    """

    key: str
    number: str | None
    attribution_id: str
    customer: str | None
    billing_period: str
    reason: InvoiceReason
    mark: StatementMark
    start: datetime | None
    cutoff: datetime
    currency: str
    amount: int
    credits: Decimal
    lines: Sequence[StatementLine]
    items: StatementItems
    extent: StatementExtent
    projects: Sequence[StatementProject] = ()
    adjustments: Sequence[Adjustment] = ()
    total: int = 0
    total_known: bool = False
    credit_notes: Sequence[StatementCredit] = ()
    refunds: Sequence[StatementRefund] = ()
    stripe_invoice_id: str | None = None
    stripe_customer_id: str | None = None
    report_id: str | None = None
    finalized_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was paid, voided or given up; None if it was not."""
    why: str | None = field(default=None)
    """Why it is a preview or void, if a reason is recorded."""

    @property
    def credited(self) -> int:
        """The total of the credit notes, in minor units, before tax."""
        return sum(note.amount for note in self.credit_notes)
