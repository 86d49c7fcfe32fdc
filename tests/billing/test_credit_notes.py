from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.invoice.credit_notes import (
    CREDITABLE,
    CreditKind,
    CreditOrder,
    LineShare,
    check_creditable,
    check_left,
    creditable,
    instance_parts,
    parse_credit,
    spread,
    without_tax_inside,
)
from billing.invoice.states import InvoiceState
from billing.money import step


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "usd", 1234),
        ("5", "usd", 500),
        ("0.1", "usd", 10),
        ("100", "jpy", 100),
        ("1.230", "kwd", 1230),
        ("5", "isk", 500),
        ("1.230", "usd", 123),
    ],
)
def test_amounts_are_exact(text: str, currency: str, minor: int) -> None:
    assert parse_credit(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12.345", "usd"),
        ("1.5", "jpy"),
        ("1.2345", "kwd"),
        ("1.234", "kwd"),
        ("10.50", "isk"),
        ("-1", "usd"),
        ("0", "usd"),
        ("1e3", "usd"),
        ("1,234", "usd"),
        ("", "usd"),
        ("٣", "usd"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InputError, match="--amount"):
        parse_credit(text, currency)


def amount(minor: int = 5, reason: str = "outage", reference: str | None = None) -> CreditOrder:
    return CreditOrder(CreditKind.AMOUNT, reason, amount=minor, reference=reference)


def test_the_same_wish_has_the_same_name_and_another_another() -> None:
    line = CreditOrder(CreditKind.LINE, "outage", line_no=5)
    instance = CreditOrder(CreditKind.INSTANCE, "outage", instance_id="5")
    names = [order.named() for order in (amount(), amount(6), amount(reason="late"), line, instance)]
    assert len(set(names)) == len(names)
    assert amount().named() == amount().named() == "amount-5-" + names[0].rpartition("-")[2]
    assert amount(reference="case-7").named() == "case-7"


@pytest.mark.parametrize("reference", ["", "a/b", "cn_1", "-x", "x" * 65, "a b"])
def test_references_are_safe_in_ids_and_never_stripes(reference: str) -> None:
    with pytest.raises(InputError, match="--reference"):
        amount(reference=reference).named()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_reason_is_said(reason: str) -> None:
    with pytest.raises(InputError, match="--reason"):
        amount(reason=reason).named()


@pytest.mark.parametrize("state", InvoiceState)
def test_only_finalized_invoices_are_credited(state: InvoiceState) -> None:
    if state in CREDITABLE:
        check_creditable("key", state)
        return
    with pytest.raises(InputError, match=f"invoice key is {state}"):
        check_creditable("key", state)


def test_an_instances_share_is_rounded_once_and_never_more_than_is_left() -> None:
    minute = 60_000_000
    shares = [LineShare(n, Decimal(10 * minute), Decimal("0.1666666667"), Decimal("0.036")) for n in (1, 2, 3, 4)]
    # 1.666667 credits x 0.036 = 0.060000012
    parts = instance_parts(shares, "usd", credited={2: 2, 4: 6}, left={1: 100, 2: 100, 3: 1, 4: 100})
    assert parts == {1: 6, 2: 4, 3: 1}


def test_an_instances_share_follows_the_step_also_on_a_line_from_before() -> None:
    minute = 60_000_000
    shares = [LineShare(n, Decimal(10 * minute), Decimal(1), Decimal("3.77")) for n in (1, 2, 3)]
    # 37.70 ISK: 38 in whole units, of which 10 and a fraction are left on line 2, and less than one on line 3.
    assert instance_parts(shares, "isk", credited={}, left={1: 10_000, 2: 1077, 3: 77}) == {1: 3800, 2: 1000}


@pytest.mark.parametrize(("left", "currency", "whole"), [(283262, "isk", 283200), (99, "ugx", 0), (1257, "kwd", 1250)])
def test_the_rest_of_an_invoice_from_before_is_credited_down_to_the_step(left: int, currency: str, whole: int) -> None:
    assert creditable(left, currency) == whole


def test_nothing_and_too_much_are_refused() -> None:
    check_left(5, 5, "usd", "it")
    with pytest.raises(InputError, match=r"0\.06 USD is more than what is left of it: 0\.05 USD"):
        check_left(6, 5, "usd", "it")
    with pytest.raises(InputError, match="nothing is left to credit on it"):
        check_left(0, 5, "usd", "it")


@given(
    st.dictionaries(st.integers(1, 9), st.integers(-500, 100_000), min_size=1),
    st.integers(1, 200_000),
    st.sampled_from(["usd", "jpy", "kwd", "isk"]),
)
def test_an_amount_is_spread_over_what_is_left(left: dict[int, int], amount: int, currency: str) -> None:
    room = sum(creditable(rest, currency) for rest in left.values() if rest > 0)
    parts = spread(amount, left, currency)
    if amount > room or amount % step(currency):
        assert parts == {}
    else:
        assert sum(parts.values()) == amount
        assert all(0 < part <= left[no] and part % step(currency) == 0 for no, part in parts.items())


@pytest.mark.parametrize(
    ("amount", "whole", "tax", "sent"),
    [(500, 1000, 0, 500), (1000, 1000, 167, 833), (332, 1000, 167, 276), (1, 9, 3, 1)],
)
def test_tax_that_a_line_contains_is_not_sent(amount: int, whole: int, tax: int, sent: int) -> None:
    assert without_tax_inside(amount, whole, tax) == sent
