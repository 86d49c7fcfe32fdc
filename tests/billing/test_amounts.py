"""What claims are worth adds up to the invoice, whatever their number, rates, currency and tiers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import MismatchError
from billing.money import to_major
from billing.pricing.rating import LineKind, RateCard, RateVersion
from billing.report.amounts import ClaimAmount, LineRest, ReportAmounts
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportLine
from tests.billing.reports import START, claim, claim_lists, graduated_header, header_of


def priced(header: ReportHeader, claims: Iterable[ReportClaim]) -> tuple[list[ClaimAmount], tuple[LineRest, ...]]:
    """Price all claims; the report itself is sound."""
    check, amounts = ReportCheck(header), ReportAmounts(header)
    found = []
    for each in claims:
        check.add(each)
        found.append(amounts.add(each))
    check.finish()
    return found, amounts.rests()


def total(rows: Iterable[ClaimAmount | LineRest]) -> Decimal:
    return sum((row.amount for row in rows), Decimal(0))


@given(claim_lists())
def test_claims_and_rests_are_exactly_the_invoice(claims: list[ReportClaim]) -> None:
    header = header_of(claims)
    found, rests = priced(header, claims)
    assert total([*found, *rests]) == to_major(header.amount, "usd")
    credits = [each.credits for each in found] + [rest.credits for rest in rests]
    assert sum(credits, Decimal(0)) == header.credits
    assert all(rest.why == "rounding" for rest in rests)


def test_a_claim_is_worth_its_time_at_its_rate() -> None:
    hours = claim(end=int(8.5 * 3_600_000_000))
    header = header_of([hours])
    (found,), rests = priced(header, [hours])
    assert (found.minutes, found.credits, found.amount) == (
        Decimal("510.00000000"),
        Decimal("85.00000002"),
        Decimal("3.06000000"),
    )
    assert (rests[0].credits, rests[0].amount) == (Decimal("-0.00000002"), Decimal("0.00000000"))


@pytest.mark.parametrize(
    ("currency", "amount", "rest"),
    [("jpy", "3.060000", "-0.060000"), ("kwd", "3.060000001", "-0.000000001"), ("isk", "3.06000000", "-0.06000000")],
)
def test_amounts_have_six_decimals_more_than_the_currency(currency: str, amount: str, rest: str) -> None:
    hours = claim(end=int(8.5 * 3_600_000_000))
    price = {currency: Decimal("0.036")}
    card = RateCard((RateVersion(START, {"default": Decimal("0.1666666667")}, price, {}),))
    rated = card.rate_line("default", START, hours.duration_us, currency)
    header = replace(
        header_of([hours]),
        currency=currency,
        lines=(ReportLine(1, rated),),
        amount=rated.amount,
        credits=rated.credits,
    )
    (found,), (left,) = priced(header, [hours])
    assert (found.amount, left.amount) == (Decimal(amount), Decimal(rest))


def test_a_line_of_tiers_is_a_rest_of_its_own() -> None:
    claims = [replace(claim(f"i-{n}", end=7_654_321_987 + n), quantity=Decimal("1.5")) for n in range(7)]
    header = graduated_header(claims, Decimal("1.5"))
    found, rests = priced(header, claims)
    assert [rest.kind for rest in rests] == [LineKind.USAGE, LineKind.TIERS]
    assert rests[1].why.startswith("10 credits included, 50 at 0.036, ")
    assert rests[1].amount == to_major(header.lines[1].rated.amount, "usd") < 0
    assert rests[1].credits == 0
    assert total([*found, *rests]) == to_major(header.amount, "usd")


def test_a_rest_that_no_rounding_explains_is_refused() -> None:
    whole = claim()
    amounts = ReportAmounts(header_of([whole]))
    amounts.add(replace(whole, end=whole.end - timedelta(minutes=5)))
    with pytest.raises(MismatchError, match=r"line 1: its claims are worth 0\.33000000"):
        amounts.rests()


@given(st.integers(1, 400))
def test_many_short_claims_leave_a_small_rest(count: int) -> None:
    claims = [claim(f"i-{n:04}", end=1 + n) for n in range(count)]
    _, (rest, _) = priced(header_of(claims), claims)
    assert abs(rest.amount) <= Decimal("0.005") + count * Decimal("0.00000001")
