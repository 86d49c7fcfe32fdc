"""The sheets that add up an exported period: its summary, and checks that every other sheet agrees with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import to_major
from starter.cli.export.tables import CURRENCY
from starter.sheets import Formula, Money, Row, Sheet, SheetColumn, WrittenSheet
from storage.exports.period import ExportedState

_SUMMARY = (
    SheetColumn("State"),
    CURRENCY,
    SheetColumn("Invoices", total=True),
    SheetColumn("Amount", total=True),
    SheetColumn("Voided or deleted", total=True),
    SheetColumn("Edited in Stripe", total=True),
    SheetColumn("Credited", total=True),
    SheetColumn("Net", total=True),
)
_CHECK = (
    SheetColumn("What"),
    SheetColumn("Sheet"),
    CURRENCY,
    SheetColumn("Perdure's total"),
    SheetColumn("Sum of the sheet"),
    SheetColumn("Difference"),
)


@dataclass(frozen=True)
class CheckedTotal:
    """A total of Perdure's and the sum of a sheet, in major units."""

    what: str
    sheet: str
    currency: str
    ours: Decimal
    sum: Decimal
    formula: str
    """The formula that the sum comes from, without its `=`."""

    @property
    def agrees(self) -> bool:
        """Whether they are the same."""
        return self.ours == self.sum


@dataclass(frozen=True)
class _Check:
    """What is compared: a figure of each state in minor units, and the column of a sheet that adds up to it.

    `minus`: a column whose sum is taken off.
    """

    what: str
    figure: Callable[[ExportedState], int]
    sheet: str
    column: str
    minus: str | None = None


def _live(state: ExportedState) -> int:
    return state.amount - state.dead


def _asked(state: ExportedState) -> int:
    """Return what Stripe has, before discounts and tax."""
    return _live(state) + state.edited


_CHECKS = (
    _Check("Invoices, without voided and deleted ones", _live, "Invoices", "Amount", "Voided or deleted"),
    _Check("What edits in Stripe change of them", lambda state: state.edited, "Invoices", "Edited in Stripe"),
    _Check("These invoices after edits and credits", lambda state: _asked(state) - state.credited, "Invoices", "Net"),
    _Check("Their lines, with edits", _asked, "Lines", "Amount"),
    _Check("Settled invoices by day", lambda state: state.with_days, "Usage by day", "Amount"),
    _Check("Issued credit notes", lambda state: state.credited, "Credits", "Counts"),
    _Check("Refunds without a credit note", lambda state: state.refunded, "Refunds", "Counts"),
)
CHECKED = frozenset(each.sheet for each in _CHECKS)
"""The sheets that `Check` compares."""


def summary_sheet(figures: Sequence[ExportedState]) -> Sheet:
    """Return the totals by state and currency: those of `perdure period status`."""

    def rows() -> Iterator[Row]:
        for each in figures:
            money = each.currency
            net = _asked(each) - each.credited
            amounts = [Money.of(minor, money) for minor in (each.amount, each.dead, each.edited, each.credited, net)]
            yield (str(each.state), money.upper(), each.invoices, *amounts)

    return Sheet("Summary", _SUMMARY, rows(), "No invoices.")


def checked_totals(figures: Sequence[ExportedState], written: Mapping[str, WrittenSheet]) -> list[CheckedTotal]:
    """Compare the sheets that were written with the totals, currency by currency."""
    currencies = sorted({each.currency for each in figures})
    return [
        _checked(check, currency, figures, written[check.sheet])
        for currency in currencies
        for check in _CHECKS
        if check.sheet in written
    ]


def _checked(check: _Check, currency: str, figures: Sequence[ExportedState], sheet: WrittenSheet) -> CheckedTotal:
    code = currency.upper()
    ours = sum(check.figure(each) for each in figures if each.currency == currency)
    found = [(sheet.totals.get((name, code)), sign) for name, sign in ((check.column, 1), (check.minus, -1)) if name]
    formula = "".join(f"{'-' if sign < 0 else '+'}{total.cell}" for total, sign in found if total)
    return CheckedTotal(
        what=check.what,
        sheet=check.sheet,
        currency=currency,
        ours=to_major(ours, currency),
        sum=sum((total.value * sign for total, sign in found if total), Decimal(0)),
        formula=formula.removeprefix("+") or "0",
    )


def check_sheet(totals: Sequence[CheckedTotal]) -> Sheet:
    """Return the comparison, with formulas: `Difference` is 0 in every row."""

    def rows() -> Iterator[Row]:
        for number, each in enumerate(totals, 2):
            yield (
                each.what,
                each.sheet,
                each.currency.upper(),
                Money(each.ours, each.currency),
                Formula(f"={each.formula}", Money(each.sum, each.currency)),
                Formula(f"=ROUND(E{number}-D{number},4)", Money(each.sum - each.ours, each.currency)),
            )

    return Sheet("Check", _CHECK, rows(), "No invoices.")
