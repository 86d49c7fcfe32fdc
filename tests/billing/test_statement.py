"""The model of a statement: which claims make an item, and which sums are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.errors import MismatchError
from billing.invoice.record import InvoiceLineRecord
from billing.report.format import ReportClaim, ReportHeader
from billing.statement.building import StatementBuilder
from billing.statement.model import Adjustment, Statement, StatementItem, StatementMark
from billing.statement.proving import prove
from tests.billing.reports import claim, header_of

HOUR = 3_600_000_000


class ListedItems:
    """Items in memory."""

    def __init__(self, items: Sequence[StatementItem]) -> None:
        self.items = items

    def of_line(self, line_no: int) -> Iterator[StatementItem]:
        """Yield the line's items."""
        return (item for item in self.items if item.line_no == line_no)


def statement_of(claims: Sequence[ReportClaim], header: ReportHeader | None = None) -> tuple[Statement, ListedItems]:
    """Return the statement of a report with these claims, and its items."""
    header = header or header_of(claims)
    builder = StatementBuilder(header)
    items = ListedItems([item for each in claims for item in builder.add(each)] + list(builder.finish()))
    lines = builder.lines([InvoiceLineRecord(line.line_no, line.rated, 0) for line in header.lines])
    found = Statement(
        key=header.invoice_key,
        number=None,
        attribution_id=header.attribution_id,
        customer=None,
        billing_period=header.billing_period,
        reason=header.reason,
        mark=StatementMark.OPEN,
        start=None,
        cutoff=header.cutoff,
        currency=header.currency,
        amount=header.amount,
        credits=header.credits,
        lines=lines,
        items=items,
        extent=builder.extent,
        projects=builder.projects(),
        total=header.amount,
    )
    return found, items


def test_the_claims_of_an_instance_on_a_line_are_one_item() -> None:
    """Claims that touch are one interval; another line, and another quantity, are another item."""
    _, items = statement_of(
        [
            claim("i-1", 0, HOUR),
            claim("i-1", HOUR, 2 * HOUR),
            claim("i-1", 3 * HOUR, 4 * HOUR, line_no=2),
            claim("i-1", 5 * HOUR, 6 * HOUR),
            claim("i-2", 0, HOUR),
        ]
    )
    found = [(item.instance_id, item.line_no, item.intervals, item.duration_us, item.end) for item in items.items]
    start = claim("i-1").start
    assert found == [
        ("i-1", 1, 2, 3 * HOUR, start + timedelta(hours=6)),
        ("i-1", 2, 1, HOUR, start + timedelta(hours=4)),
        ("i-2", 1, 1, HOUR, start + timedelta(hours=1)),
    ]


def test_quantities_are_items_of_their_own_and_count() -> None:
    claims = [claim("i-1", 0, HOUR), replace(claim("i-1", HOUR, 2 * HOUR), quantity=Decimal("2.5"))]
    plain = header_of(claims)
    rated = replace(plain.lines[0].rated, quantity_us=Decimal(HOUR * 7 / 2))
    worth = Decimal("35.000000")  # 210 minutes at 0.1666666667
    line = replace(plain.lines[0], rated=replace(rated, credits=worth, amount=126))
    header = replace(plain, lines=(line, plain.lines[1]), credits=worth, amount=126)
    found, items = statement_of(claims, header)
    assert [(item.quantity, item.credits) for item in items.items] == [
        (Decimal(1), Decimal("10.000000")),
        (Decimal("2.5"), Decimal("25.000000")),
    ]
    assert found.extent.quantities
    prove(found)


def test_projects_are_the_largest_first() -> None:
    claims = [
        replace(claim("i-1", 0, HOUR), project_id="small"),
        replace(claim("i-2", 0, 3 * HOUR), project_id="large"),
        claim("i-3", 0, 2 * HOUR),
    ]
    found, _ = statement_of(claims)
    assert [(each.project_id, each.items) for each in found.projects] == [("large", 1), (None, 1), ("small", 1)]
    assert statement_of([claim("i-1")])[0].projects == ()


WRONG: dict[str, dict[str, Any]] = {
    "the lines": {"amount": 1},
    "the credits of the lines": {"credits": Decimal(1)},
    "subtotal, discounts and tax": {"adjustments": (Adjustment("Tax", 1),)},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_statement_whose_sums_differ_is_refused(what: str) -> None:
    found, _ = statement_of([claim("i-1"), claim("i-2", line_no=2)])
    prove(found)
    with pytest.raises(MismatchError, match=f"^the statement of 2022-05/team:a/period is refused: {what}: the sum is"):
        prove(replace(found, **WRONG[what]))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": Decimal(9)}, "the amounts of line 1: the sum is"),
        ({"credits": Decimal(9)}, "the credits of line 1: the sum is"),
        ({"duration_us": 1}, "the time of line 1: the sum is"),
    ],
)
def test_an_item_that_differs_from_its_line_is_refused(changes: dict[str, Any], why: str) -> None:
    found, items = statement_of([claim("i-1"), claim("i-2")])
    items.items = [replace(items.items[0], **changes), items.items[1]]
    with pytest.raises(MismatchError, match=why):
        prove(found)


def test_a_missing_item_and_a_rest_that_is_no_rounding_are_refused() -> None:
    found, items = statement_of([claim("i-1"), claim("i-2")])
    whole = items.items
    items.items = whole[:1]
    with pytest.raises(MismatchError, match="the instances of line 1: the sum is 1, the invoice has 2"):
        prove(found)
    items.items = [replace(whole[0], amount=whole[0].amount - 1), whole[1]]
    shifted = replace(found.lines[0], rest_amount=found.lines[0].rest_amount + 1)
    with pytest.raises(MismatchError, match="which is no rounding"):
        prove(replace(found, lines=(shifted, *found.lines[1:]), projects=()))
