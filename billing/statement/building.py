"""From the claims of an invoice to the items of its statement, one instance at a time, and to their sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from billing.invoice.record import InvoiceLineRecord
from billing.money import EXACT, to_major
from billing.report.amounts import ReportAmounts
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader
from billing.statement.model import (
    StatementExtent,
    StatementItem,
    StatementLine,
    StatementProject,
    item_decimals,
)

_CREDIT = Decimal("0.000001")
_NOTHING = Decimal(0)
_ONE = Decimal(1)
_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
_MOST_PROJECTS = 2000


@dataclass
class _Sum:
    """The totals of a line's or a project's items."""

    items: int = 0
    duration_us: int = 0
    credits: Decimal = _NOTHING
    amount: Decimal = _NOTHING

    def add(self, item: StatementItem) -> None:
        self.items += 1
        self.duration_us += item.duration_us
        self.credits = EXACT.add(self.credits, item.credits)
        self.amount = EXACT.add(self.amount, item.amount)


class StatementBuilder:
    """Takes the claims of one invoice in the report's order, checks them as the report's, and returns the items.

    Memory grows with the number of projects alone, and not beyond `_MOST_PROJECTS`.
    """

    def __init__(self, header: ReportHeader) -> None:
        """Check the header against itself.

        Raises:
            MismatchError, ReportError: as `ReportCheck`.
        """
        self._currency = header.currency
        self._check = ReportCheck(header)
        self._amounts = ReportAmounts(header)
        self._unit = _ONE.scaleb(-item_decimals(header.currency))
        self._open: dict[tuple[int, Decimal], StatementItem] = {}
        self._instance: str | None = None
        self._lines = {line.line_no: _Sum() for line in header.lines}
        self._projects: dict[str | None, _Sum] | None = {}
        self.extent = StatementExtent()

    def add(self, claim: ReportClaim) -> Iterator[StatementItem]:
        """Add the next claim. Yields the items of the instance before it, if it is that of another one.

        Raises:
            ReportError: as `ReportCheck.add`.
        """
        self._check.add(claim)
        if claim.instance_id != self._instance:
            yield from self._flush()
            self._instance = claim.instance_id
        worth = self._amounts.add(claim)
        place = (claim.line_no, claim.quantity)
        item = self._open.get(place)
        if item is None:
            self._open[place] = StatementItem(
                *(claim.line_no, claim.instance_id, claim.workspace_id, claim.project_id, claim.start, claim.end),
                *(1, claim.duration_us, claim.quantity, worth.credits, worth.amount),
            )
            return
        self._open[place] = replace(
            item,
            end=claim.end,
            # Two claims that touch are one interval: the report cuts where a rule changes.
            intervals=item.intervals + (claim.start != item.end),
            duration_us=item.duration_us + claim.duration_us,
            credits=EXACT.add(item.credits, worth.credits),
            amount=EXACT.add(item.amount, worth.amount),
        )

    def finish(self) -> Iterator[StatementItem]:
        """Yield the items of the last instance.

        Raises:
            MismatchError: the claims are not those of the header.
        """
        yield from self._flush()
        self._check.finish()
        self._amounts.rests()

    def lines(self, records: Sequence[InvoiceLineRecord]) -> tuple[StatementLine, ...]:
        """Return the lines with what each has beyond its items, after `finish`."""
        return tuple(self._line(record) for record in records)

    def projects(self) -> tuple[StatementProject, ...]:
        """Return the sums by project, the largest first; none if no instance has a project, or too many do."""
        if self._projects is None or set(self._projects) <= {None}:
            return ()
        found = [
            StatementProject(name, each.items, each.duration_us, each.credits, each.amount)
            for name, each in self._projects.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.amount, each.project_id or "")))

    def _line(self, record: InvoiceLineRecord) -> StatementLine:
        found = self._lines.get(record.line_no, _Sum())
        return StatementLine(
            record,
            found.items,
            EXACT.subtract(record.rated.credits, found.credits),
            EXACT.subtract(to_major(record.rated.amount, self._currency), found.amount),
        )

    def _flush(self) -> Iterator[StatementItem]:
        for item in self._open.values():
            shown = replace(item, credits=_rounded(item.credits, _CREDIT), amount=_rounded(item.amount, self._unit))
            self._lines[shown.line_no].add(shown)
            self._add_to_project(shown)
            self.extent = _extended(self.extent, shown)
            yield shown
        self._open.clear()

    def _add_to_project(self, item: StatementItem) -> None:
        if self._projects is None:
            return
        self._projects.setdefault(item.project_id, _Sum()).add(item)
        if len(self._projects) > _MOST_PROJECTS:
            self._projects = None


def _extended(extent: StatementExtent, item: StatementItem) -> StatementExtent:
    return StatementExtent(
        items=extent.items + 1,
        instance=max(extent.instance, len(item.instance_id)),
        workspace=max(extent.workspace, len(item.workspace_id or "")),
        project=max(extent.project, len(item.project_id or "")),
        intervals=max(extent.intervals, item.intervals),
        duration_us=max(extent.duration_us, item.duration_us),
        credits=max(extent.credits, item.credits),
        seconds=extent.seconds or item.duration_us % _MINUTE_US != 0,
        quantities=extent.quantities or item.quantity != 1,
    )


def _rounded(number: Decimal, unit: Decimal) -> Decimal:
    return number.quantize(unit, rounding=ROUND_HALF_EVEN, context=EXACT)
