"""Net: the difference between an invoice and the bill as corrected, and how it is offset.

A lower bill is credited, line by line; a higher one is charged on the account's next invoice, as an adjustment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.errors import InputError
from billing.invoice.credit_notes import CREDITABLE, creditable
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from billing.pricing.rating import LineKind, RatedLine

LineIdentity = tuple[LineKind, str, datetime]
"""What the lines of an invoice and of its bill as corrected have in common: kind, workspace class, rate version."""


@dataclass(frozen=True)
class BilledLine:
    """A line of the invoice that is corrected. `left`: its amount less its live credits, in minor units."""

    line_no: int
    kind: LineKind
    workspace_class: str
    rate_from: datetime
    duration_us: int
    amount: int
    left: int

    @property
    def identity(self) -> LineIdentity:
        """What a line of the bill as corrected has in common with it."""
        return self.kind, self.workspace_class, self.rate_from


@dataclass(frozen=True)
class ChargedAdjustment:
    """An adjustment of an earlier correction, as a line of a later invoice.

    `left`: of that line after its live credits; `invoice_left`: of that invoice; both in minor units.
    """

    invoice_id: int
    invoice_key: str
    state: InvoiceState
    line_no: int
    amount: int
    left: int
    invoice_left: int


@dataclass(frozen=True)
class Owed:
    """What the customer owes for the invoice's usage before it is corrected, in minor units.

    `lines`: the invoice's, without adjustments of other corrections. `left`: their total, less the live credits of the
    invoice. `charged`: what earlier corrections of the invoice charge on others, newest first; `waiting`: what they
    are still to charge.
    """

    lines: tuple[BilledLine, ...]
    left: int
    charged: tuple[ChargedAdjustment, ...] = ()
    waiting: int = 0

    @property
    def billed(self) -> int:
        """The total of the lines."""
        return sum(line.amount for line in self.lines)

    @property
    def without_waiting(self) -> int:
        """All that is owed already: an adjustment that waits is withdrawn before the net is offset."""
        return self.left + sum(each.left for each in self.charged)


@dataclass(frozen=True)
class CreditDue:
    """A credit note to make on an invoice: its parts by line, in minor units."""

    invoice_id: int
    invoice_key: str
    parts: Mapping[int, int]

    @property
    def amount(self) -> int:
        """The total of the parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Offset:
    """How a net is offset: by credit notes, or by an adjustment of so many minor units, or by nothing."""

    net: int
    credits: tuple[CreditDue, ...] = ()
    adjustment: int = 0


def offset_net(invoice_id: int, invoice_key: str, owed: Owed, corrected: Sequence[RatedLine], currency: str) -> Offset:
    """Return how the difference between what is owed and the bill as corrected is offset.

    Amounts are multiples of the currency's step: what is off it, on an invoice from before there were steps, stays.

    Raises:
        InputError: what is to be credited is on an invoice that cannot be credited so.
    """
    net = sum(line.amount for line in corrected) - owed.without_waiting
    net = creditable(net, currency) if net > 0 else -creditable(-net, currency)
    if net >= 0:
        return Offset(net, adjustment=net)
    own = CreditDue(invoice_id, invoice_key, _parts(owed, corrected, -net, currency))
    elsewhere = _credits_elsewhere(owed.charged, -net - own.amount, currency)
    credits = [each for each in (own, *elsewhere) if each.parts]
    rest = -net - sum(each.amount for each in credits)
    if rest > 0:
        due, lacks = format_amount(-net, currency), format_amount(rest, currency)
        raise InputError(
            f"invoice {invoice_key} is to be credited {due}, but {lacks} of it is not left on its lines, as "
            "other credit notes hold it"
        )
    return Offset(net, tuple(credits))


def _credits_elsewhere(charged: Sequence[ChargedAdjustment], amount: int, currency: str) -> list[CreditDue]:
    """Return what to credit of adjustments: a credit note for each invoice, which can charge several of them."""
    parts: dict[tuple[int, str], dict[int, int]] = {}
    for each in charged:
        of_invoice = parts.setdefault((each.invoice_id, each.invoice_key), {})
        invoice_left = each.invoice_left - sum(of_invoice.values())
        part = creditable(max(min(amount, each.left, invoice_left), 0), currency)
        if part > 0:
            _check_charged(each)
            of_invoice[each.line_no] = part
            amount -= part
    return [CreditDue(*invoice, of_invoice) for invoice, of_invoice in parts.items()]


def _check_charged(each: ChargedAdjustment) -> None:
    if each.state not in CREDITABLE:
        raise InputError(
            f"an earlier correction is charged on invoice {each.invoice_key}, which is {each.state}: correct this one "
            "once that one is finalized"
        )


def _parts(owed: Owed, corrected: Sequence[RatedLine], amount: int, currency: str) -> dict[int, int]:
    """Return what to credit of each line: its own decrease, less what other lines increase, in line order.

    A line is never credited more than it has left; what decreases cannot hold is credited on what lines have left.
    """
    amount = creditable(max(min(amount, owed.left), 0), currency)
    room = {line.line_no: creditable(max(line.left, 0), currency) for line in owed.lines}
    now = {(line.kind, line.workspace_class, line.rate_from): line.amount for line in corrected}
    parts: dict[int, int] = {}
    for line in owed.lines:
        decrease = max(line.left - now.get(line.identity, 0), 0)
        parts[line.line_no] = min(creditable(decrease, currency), room[line.line_no])
    _move(parts, amount, dict.fromkeys(parts, 0))
    _move(parts, amount, room)
    return {number: part for number, part in parts.items() if part > 0}


def _move(parts: dict[int, int], amount: int, bounds: Mapping[int, int]) -> None:
    """Move the parts towards these bounds, in line order, until they add up to the amount."""
    for number, bound in bounds.items():
        missing = amount - sum(parts.values())
        if bound >= parts[number]:
            parts[number] += max(min(missing, bound - parts[number]), 0)
        else:
            parts[number] -= max(min(-missing, parts[number] - bound), 0)
