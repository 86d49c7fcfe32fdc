"""Credit notes: what they credit, how they are named, and how much they can total."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.errors import BlockedInvoiceError, InputError
from billing.invoice.key import CORRECTION_REFERENCE
from billing.invoice.states import InvoiceState
from billing.money import EXACT, format_amount, parse_amount, step, to_minor
from billing.pricing.rating import rate_credits

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OF_OTHERS = ("cn_", CORRECTION_REFERENCE)
"""How references begin that no person gives: those of Stripe, and of corrections."""
_LONGEST_REASON = 1000
_S = InvoiceState

CREDITABLE = frozenset({_S.FINALIZED, _S.BILLED, _S.PAID, _S.UNCOLLECTIBLE})
"""The states in which an invoice can be credited: Stripe credits only finalized invoices."""


class CreditKind(StrEnum):
    """What a credit note credits: an amount of the invoice, the rest of a line, an instance's share, or the net of a
    correction.
    """

    AMOUNT = "amount"
    LINE = "line"
    INSTANCE = "instance"
    CORRECTION = "correction"


class CreditDestination(StrEnum):
    """Where the credit for an already paid part goes: the customer's balance in Stripe, a refund, or outside Stripe."""

    BALANCE = "balance"
    REFUND = "refund"
    OUT_OF_BAND = "out-of-band"


class CreditNoteState(StrEnum):
    """The state of a credit note."""

    REQUESTED = "requested"
    """Postgres holds the request; Stripe may or may not have the credit note."""
    ISSUED = "issued"
    VOIDED = "voided"
    BLOCKED = "blocked"
    """Stripe refused it; it waits for an operator. It reserves no amount, so that others can be credited."""


LIVE = frozenset({CreditNoteState.REQUESTED, CreditNoteState.ISSUED})
"""The states that count against the creditable rest of an invoice."""

PENDING = frozenset({CreditNoteState.REQUESTED, CreditNoteState.BLOCKED})
"""The states in which Stripe is not yet known to have the credit note."""


@dataclass(frozen=True)
class CreditOrder:
    """A person's request for a credit. `kind` says which of `amount` (minor units), `line_no`, `instance_id` counts."""

    kind: CreditKind
    reason: str
    settle_to: CreditDestination = CreditDestination.BALANCE
    reference: str | None = None
    amount: int | None = None
    line_no: int | None = None
    instance_id: str | None = None

    def named(self) -> str:
        """Return the reference: the given one, or else one derived from the request.

        The derivation ignores how much is left of a line or a share, so the same command typed twice is one request.

        Raises:
            InputError: the reference is malformed or one of Stripe's ids; the reason is empty or too long.
        """
        check_reason(self.reason)
        if self.reference is not None:
            if not _REFERENCE.fullmatch(self.reference) or self.reference.startswith(_OF_OTHERS):
                raise InputError(
                    f"--reference {self.reference!r}: write at most 64 letters, digits, '.', '_' or '-', "
                    f"not beginning with {' or '.join(map(repr, _OF_OTHERS))}"
                )
            return self.reference
        target = {CreditKind.AMOUNT: self.amount, CreditKind.LINE: self.line_no, CreditKind.INSTANCE: self.instance_id}
        requested = [str(self.kind), target[self.kind], self.reason]
        digest = hashlib.sha256(json.dumps(requested).encode()).hexdigest()[:12]
        shown = "" if self.kind is CreditKind.INSTANCE else f"-{target[self.kind]}"
        return f"{self.kind}{shown}-{digest}"


@dataclass(frozen=True)
class LineShare:
    """An instance's time on an invoice line, times its quantity, with the rate and price at which it is owed."""

    line_no: int
    quantity_us: Decimal
    credits_per_minute: Decimal
    price_per_credit: Decimal


def parse_credit(text: str, currency: str) -> int:
    """Convert major units, as a person writes them, to minor units, exactly.

    Raises:
        InputError: `text` is not a positive number, has more decimals than the currency, or is off its step.
    """
    try:
        minor = parse_amount(text, currency)
    except InputError as error:
        raise InputError(f"--amount {error}") from None
    if minor <= 0:
        raise InputError(f"--amount {text!r}: a credit must be more than zero")
    return minor


def check_reason(reason: str) -> None:
    """Refuse a reason that no customer can read.

    Raises:
        InputError: it is empty or too long.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise InputError(f"--reason: say why, in at most {_LONGEST_REASON} characters; the customer reads it")


def check_creditable(key: str, state: InvoiceState) -> None:
    """Refuse to credit an invoice that Stripe could not credit.

    Raises:
        BlockedInvoiceError: the invoice waits for a person.
        InputError: the invoice is not finalized yet, or is voided or deleted; the message says what to do.
    """
    if state in CREDITABLE:
        return
    if state in (_S.VOIDED, _S.DELETED):
        raise InputError(f"invoice {key} is {state}: nothing is owed for it, so there is nothing to credit")
    if state is _S.BLOCKED:
        raise BlockedInvoiceError(f"invoice {key} is blocked")
    raise InputError(f"invoice {key} is {state}, not finalized: wait until it is, or void or delete it in Stripe")


def check_correctable(key: str, state: InvoiceState, *, is_voiding: bool) -> None:
    """Refuse to correct an invoice that no credit can correct.

    Raises:
        BlockedInvoiceError: the invoice waits for a person.
        InputError: the invoice is not finalized yet, or is voided, deleted or about to be; the message says what to do.
    """
    if state in (_S.VOIDED, _S.DELETED) or is_voiding:
        what = "about to be voided" if is_voiding and state not in (_S.VOIDED, _S.DELETED) else str(state)
        raise InputError(f"invoice {key} is {what}: its usage is billed again by the next run, as it is known then")
    if state is _S.BLOCKED:
        raise BlockedInvoiceError(f"invoice {key} is blocked")
    if state not in CREDITABLE:
        raise InputError(
            f"invoice {key} is {state}, not finalized: wait until it is, or void it and run the period again"
        )


def instance_parts(
    shares: Iterable[LineShare],
    currency: str,
    *,
    credited: Mapping[int, int],
    left: Mapping[int, int],
) -> dict[int, int]:
    """Return the minor units to credit by line: its shares, priced and rounded once, less what was already `credited`.

    A line is never credited more than it has `left`, and by multiples of the currency's step alone.
    """
    owed: dict[int, Decimal] = {}
    for share in shares:
        price = EXACT.multiply(rate_credits(share.quantity_us, share.credits_per_minute), share.price_per_credit)
        owed[share.line_no] = EXACT.add(owed.get(share.line_no, Decimal(0)), price)
    parts: dict[int, int] = {}
    for line_no, price in owed.items():
        part = creditable(min(to_minor(price, currency) - credited.get(line_no, 0), left[line_no]), currency)
        if part > 0:
            parts[line_no] = part
    return parts


def creditable(left: int, currency: str) -> int:
    """Return how much of what is left Stripe credits: a multiple of the currency's step.

    The rest is of an invoice from before amounts were rounded to the step, and stays:
    https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds
    """
    return left - left % step(currency)


def check_left(amount: int, left: int, currency: str, what: str) -> None:
    """Refuse to credit nothing, or more than is left.

    Raises:
        InputError: `amount` is not positive, or exceeds `left`; the message then gives both figures.
    """
    if amount <= 0:
        raise InputError(f"nothing is left to credit on {what}")
    if amount > left:
        raise InputError(
            f"{format_amount(amount, currency)} is more than what is left of {what}: "
            f"{format_amount(max(left, 0), currency)}"
        )


def spread(amount: int, left: Mapping[int, int], currency: str) -> dict[int, int]:
    """Return an amount (minor units) by line, in proportion to what is `left` of each, and never above it.

    Stripe then gives back each line's tax. Empty if the lines have less left than the amount.
    """
    room = {line_no: creditable(rest, currency) for line_no, rest in left.items() if rest > 0}
    base, unit = sum(room.values()), step(currency)
    if amount > base or amount % unit:
        return {}
    parts, so_far, given = {}, 0, 0
    for line_no, rest in room.items():
        so_far += rest
        # Rounded down in sum: no line's part exceeds its rest, and the last line completes the amount.
        upto = amount * so_far // base // unit * unit
        parts[line_no], given = upto - given, upto
    return {line_no: part for line_no, part in parts.items() if part}


def without_tax_inside(amount: int, whole: int, tax: int) -> int:
    """Return a credit of a line without the tax that the line's amount contains, rounded down to at least one unit.

    With automatic tax, Stripe takes the amounts of a credit note's lines without any tax, and adds it:
    https://docs.stripe.com/api/credit_notes/create#create_credit_note-lines-amount
    """
    return max(1, amount * (whole - tax) // whole) if tax else amount
