"""An invoice with its lines, as stored in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceState
from billing.pricing.rating import RatedLine


@dataclass(frozen=True)
class InvoiceLineRecord:
    """A line, numbered from 1. `carried_us` is the part of its duration from before the period's start."""

    line_no: int
    rated: RatedLine
    carried_us: int


@dataclass(frozen=True)
class InvoiceRecord:
    """An invoice with its lines. Amounts are in minor units.

    `ordinal` numbers the invoices of one identity, each made after the one before was voided or deleted. `generation`
    rises when the invoice is resumed, rebuilt or adopted, `revision` when the lines of its draft are replaced; both are
    part of its idempotency keys. A person approved `approved_amount`. Stripe's `found_subtotal` blocks the invoice; a
    person accepted Stripe's `accepted_subtotal` in place of ours. `voided_at` is also set when the invoice is deleted.
    `stripe_total` is the total of the finalized Stripe invoice, all of its lines without `stripe_discount` and with
    `stripe_tax`. If `written_off`, it is dead and its usage is never billed again. `service_start` is the start of the
    cycle that it bills, None if it bills its period from the start.
    """

    id: int
    key: str
    attribution_id: str
    billing_period: str
    reason: InvoiceReason
    subject: str
    ordinal: int
    generation: int
    state: InvoiceState
    blocked_reason: str | None
    blocked_since: datetime | None
    resume_state: InvoiceState | None
    cutoff: datetime
    currency: str
    amount: int
    credits: Decimal
    rate_card_digest: str
    stripe_customer_id: str | None
    report_id: str | None
    stripe_invoice_id: str | None
    claimed_at: datetime
    drafted_at: datetime | None
    finalized_at: datetime | None
    billed_at: datetime | None
    paid_at: datetime | None
    uncollectible_at: datetime | None
    voided_at: datetime | None
    updated_at: datetime
    charge_on: ChargeOn
    finalization: Finalization
    finalize_at: datetime | None
    revision: int
    blocked_kind: BlockedKind | None
    approved_amount: int | None
    approved_at: datetime | None
    approved_by: str | None
    found_subtotal: int | None
    found_digest: str | None
    accepted_subtotal: int | None
    accepted_digest: str | None
    replaces_stripe_invoice_id: str | None
    void_requested_at: datetime | None
    void_requested_by: str | None
    void_reason: str | None
    written_off: bool
    payment_attempts: int
    payment_failed_at: datetime | None
    service_start: datetime | None
    stripe_total: int | None
    stripe_discount: int | None
    stripe_tax: int | None
    lines: tuple[InvoiceLineRecord, ...]
    collection_stopped_at: datetime | None = None
    """When it was first seen that Stripe no longer charges the open invoice by itself."""
    stripe_number: str | None = None
    """The number that Stripe gave it when it was finalized."""
    account_name: str | None = None
    """The account's name, if it is known."""
    account_has_pauses: bool = False
    """Whether collection of a subscription of its account is paused, or was."""

    @property
    def reached(self) -> InvoiceState:
        """The state; for a blocked invoice, the state in which it was blocked."""
        return self.resume_state or self.state

    @property
    def edited(self) -> int:
        """What an edit in Stripe that a person accepted changes of `amount`."""
        return 0 if self.accepted_subtotal is None else self.accepted_subtotal - self.amount

    @property
    def awaits_approval(self) -> bool:
        """Whether the invoice is a draft that a person must approve first."""
        waits = self.state is InvoiceState.DRAFT and self.finalization is Finalization.APPROVAL
        return waits and self.approved_amount is None

    @property
    def is_plain(self) -> bool:
        """Whether Stripe has nothing of the invoice, and creates and finalizes it at once, with nobody to wait for."""
        untouched = self.state is InvoiceState.CLAIMED and self.revision == 1 and self.stripe_invoice_id is None
        at_once = self.charge_on is ChargeOn.OWN and self.finalization is Finalization.AT_ONCE
        decided = self.void_requested_at is not None or self.replaces_stripe_invoice_id is not None
        return untouched and at_once and not decided and self.stripe_customer_id is not None
