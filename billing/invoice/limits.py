"""Limits that hold an unusual bill before it is sent. docs/limits.md explains them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing.money import EXACT, format_amount

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class BillFigures:
    """The figures of an invoice, or of a whole period, that limits judge. Amounts are in minor units.

    `carried` is the part of `amount` that is usage of earlier periods; `previous` is the total of the period before,
    None if there was none. The rest is of invoices alone: the microseconds of the account's windows in this period and
    in the previous one, whether the account has no other invoice, the floor in its currency, None if it has none, and
    the largest amount of a line, without its sign.
    """

    what: str
    currency: str
    amount: int
    carried: int = 0
    previous: int | None = None
    window_us: int = 0
    previous_us: int = 0
    is_first: bool = False
    floor: int | None = None
    largest_line: int = 0


@dataclass(frozen=True)
class Limits:
    """Limits above which a bill is held before it is sent.

    `amount` is by currency, in minor units; `multiple` is a factor of the previous period's total, `daily_multiple` of
    that total per day of the account's windows; `carried_share` is the part of the amount, from 0 to 1, that is
    carried over from earlier periods; `first_invoice` is a factor of the floor, for an account's first invoice.
    """

    amount: Mapping[str, int] = field(default_factory=dict)
    multiple: Decimal | None = None
    carried_share: Decimal | None = None
    daily_multiple: Decimal | None = None
    first_invoice: Decimal | None = None

    def __bool__(self) -> bool:
        factors = (self.multiple, self.carried_share, self.daily_multiple, self.first_invoice)
        return bool(self.amount) or any(each is not None for each in factors)

    def exceeded(self, bill: BillFigures) -> str:
        """Return why this bill is held, with the figures; empty if no limit is exceeded."""
        reasons = (
            self._above_amount(bill),
            self._above_multiple(bill),
            self._above_daily_multiple(bill),
            self._above_carried_share(bill),
            self._above_first_invoice(bill),
        )
        return "; ".join(filter(None, reasons))

    def _above_amount(self, bill: BillFigures) -> str:
        most = self.amount.get(bill.currency)
        if most is None or bill.amount <= most:
            return ""
        return f"{_totals(bill)}, above the limit of {format_amount(most, bill.currency)}"

    def _above_multiple(self, bill: BillFigures) -> str:
        if self.multiple is None or not bill.previous or bill.amount <= _times(self.multiple, bill.previous):
            return ""
        before = format_amount(bill.previous, bill.currency)
        return f"{_totals(bill)}, more than {self.multiple:f} times the previous total of {before}"

    def _above_daily_multiple(self, bill: BillFigures) -> str:
        if self.daily_multiple is None or not bill.previous or not bill.window_us or not bill.previous_us:
            return ""
        # amount / window > multiple * previous / previous window, without a division
        if bill.amount * bill.previous_us <= _times(self.daily_multiple, bill.previous * bill.window_us):
            return ""
        before = format_amount(bill.previous, bill.currency)
        return (
            f"{_totals(bill)} for {_days(bill.window_us)}, per day more than {self.daily_multiple:f} times the "
            f"previous total of {before} for {_days(bill.previous_us)}"
        )

    def _above_carried_share(self, bill: BillFigures) -> str:
        if self.carried_share is None or bill.carried <= _times(self.carried_share, bill.amount):
            return ""
        carried, total = format_amount(bill.carried, bill.currency), format_amount(bill.amount, bill.currency)
        percent = f"{self.carried_share * 100:f}%"
        return f"{carried} of {total} is usage carried over from earlier periods, more than {percent}"

    def _above_first_invoice(self, bill: BillFigures) -> str:
        if self.first_invoice is None or not bill.is_first or bill.floor is None:
            return ""
        if bill.amount <= _times(self.first_invoice, bill.floor):
            return ""
        floor = format_amount(bill.floor, bill.currency)
        return f"{_totals(bill)}, more than {self.first_invoice:f} times {floor}, and is the account's first"


NO_LIMITS = Limits()
DEFAULT_LIMITS = Limits(carried_share=Decimal("0.5"), daily_multiple=Decimal(3), first_invoice=Decimal(10))
"""The limits of invoices above the floor, where none is set."""


def _totals(bill: BillFigures) -> str:
    return f"{bill.what} totals {format_amount(bill.amount, bill.currency)}"


def _times(factor: Decimal, amount: int) -> Decimal:
    return EXACT.multiply(factor, Decimal(amount))


def _days(us: int) -> str:
    number = round(us / _DAY_US, 1)
    return f"{number:g} day" + ("" if number == 1 else "s")
