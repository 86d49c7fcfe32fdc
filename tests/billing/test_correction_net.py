"""The net of a correction: never more than a line has left, exactly the difference, in the currency's steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.correction.net import BilledLine, ChargedAdjustment, Owed, offset_net
from billing.errors import InputError
from billing.invoice.states import InvoiceState
from billing.money import step
from billing.pricing.rating import LineKind, RatedLine

KEY = "2022-05/team:a/period"
AT = datetime(2022, 1, 1, tzinfo=UTC)
CURRENCIES = ["usd", "jpy", "isk", "kwd"]


def billed(*lines: tuple[str, int, int]) -> tuple[BilledLine, ...]:
    """Lines of usage by class, amount and rest; a class `tiers` is a line of tiers."""
    return tuple(
        BilledLine(number, kind_of(name), class_of(name), AT, 0, amount, left)
        for number, (name, amount, left) in enumerate(lines, 1)
    )


def right(**amounts: int) -> list[RatedLine]:
    """The bill as corrected, by class."""
    return [
        RatedLine(class_of(name), AT, Decimal(1), False, Decimal(1), 0, Decimal(0), amount, kind_of(name))
        for name, amount in amounts.items()
    ]


def kind_of(name: str) -> LineKind:
    return LineKind.TIERS if name == "tiers" else LineKind.USAGE


def class_of(name: str) -> str:
    return "" if name == "tiers" else name


def owed(lines: Sequence[BilledLine], credited: int = 0, charged: tuple[ChargedAdjustment, ...] = ()) -> Owed:
    return Owed(tuple(lines), sum(line.amount for line in lines) - credited, charged)


def adjustment(left: int, state: InvoiceState = InvoiceState.PAID) -> ChargedAdjustment:
    return ChargedAdjustment(2, "2022-06/team:a/period", state, 3, left, left, left + 50)


def test_each_line_is_credited_what_it_decreases() -> None:
    found = offset_net(1, KEY, owed(billed(("a", 100, 100), ("b", 50, 50))), right(a=70, b=10), "usd")
    assert (found.net, found.adjustment) == (-70, 0)
    assert [(each.invoice_id, each.parts) for each in found.credits] == [(1, {1: 30, 2: 40})]


def test_two_adjustments_on_one_invoice_are_credited_by_one_note_within_what_it_has_left() -> None:
    later = "2022-06/team:a/period"
    both = tuple(ChargedAdjustment(2, later, InvoiceState.PAID, number, 40, 40, 70) for number in (3, 4))
    owing = owed(billed(("a", 100, 100)), charged=both)
    found = offset_net(1, KEY, owing, right(a=10), "usd")
    assert found.net == -170
    assert [(each.invoice_id, each.parts) for each in found.credits] == [(1, {1: 100}), (2, {3: 40, 4: 30})]
    with pytest.raises(InputError, match=r"0\.10 USD of it is not left"):
        offset_net(1, KEY, owing, right(), "usd")


def test_an_increase_elsewhere_is_offset_in_line_order() -> None:
    found = offset_net(1, KEY, owed(billed(("a", 100, 100), ("b", 50, 50))), right(a=70, b=10, c=40), "usd")
    assert (found.net, [each.parts for each in found.credits]) == (-30, [{2: 30}])


def test_a_line_of_tiers_that_gives_less_is_an_increase() -> None:
    found = offset_net(1, KEY, owed(billed(("a", 100, 100), ("tiers", -60, -60))), right(a=50, tiers=-30), "usd")
    assert (found.net, [each.parts for each in found.credits]) == (-20, [{1: 20}])


def test_more_is_an_adjustment() -> None:
    found = offset_net(1, KEY, owed(billed(("a", 100, 100))), right(a=101), "usd")
    assert (found.net, found.adjustment, found.credits) == (1, 1, ())


def test_what_is_off_the_step_stays() -> None:
    assert offset_net(1, KEY, owed(billed(("a", 10050, 10050))), right(a=10000), "isk").net == 0
    found = offset_net(1, KEY, owed(billed(("a", 10050, 10050))), right(a=5000), "isk")
    assert (found.net, [each.parts for each in found.credits]) == (-5000, [{1: 5000}])


def test_an_invoice_that_cannot_be_credited_yet_is_named() -> None:
    draft = owed(billed(("a", 100, 100)), charged=(adjustment(40, InvoiceState.DRAFT),))
    with pytest.raises(InputError, match="charged on invoice 2022-06/team:a/period, which is draft"):
        offset_net(1, KEY, draft, [], "usd")
    assert offset_net(1, KEY, draft, right(a=60), "usd").net == -80


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, Owed, list[RatedLine]]:
    currency = draw(st.sampled_from(CURRENCIES))
    unit = step(currency)
    amounts = draw(st.lists(st.integers(0, 50), min_size=1, max_size=4))
    lefts = [draw(st.integers(0, amount)) for amount in amounts]
    lines = billed(*((name, a * unit, b * unit) for name, a, b in zip("abcd", amounts, lefts, strict=False)))
    room = sum(lefts)
    charges = [each * unit for each in draw(st.lists(st.integers(1, 30), max_size=3))]
    charged = tuple(
        ChargedAdjustment(invoice, f"2022-0{6 + invoice}/team:a/period", InvoiceState.PAID, number, left, left, total)
        for invoice, total, lefts_there in ((2, sum(charges[:2]), charges[:2]), (3, sum(charges[2:]), charges[2:]))
        for number, left in enumerate(lefts_there, 3)
    )
    credited = sum(amounts) - room + draw(st.integers(0, room))
    corrected = right(**{name: draw(st.integers(0, 60)) * unit for name in draw(st.lists(st.sampled_from("abcde")))})
    return currency, owed(lines, credited * unit, charged), corrected


@given(cases())
def test_the_net_is_offset_exactly(case: tuple[str, Owed, list[RatedLine]]) -> None:
    currency, before, corrected = case
    found = offset_net(1, KEY, before, corrected, currency)
    assert found.net == sum(line.amount for line in corrected) - before.without_waiting
    assert found.adjustment - sum(credit.amount for credit in found.credits) == found.net
    left = {line.line_no: line.left for line in before.lines}
    assert len({credit.invoice_id for credit in found.credits}) == len(found.credits)
    for credit in found.credits:
        assert all(part > 0 and part % step(currency) == 0 for part in credit.parts.values())
        if credit.invoice_id == 1:
            assert all(part <= left[number] for number, part in credit.parts.items())
            assert credit.amount <= before.left
