"""Amounts that Stripe can charge: every line is a multiple of its currency's step, in reports too; old ones stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.assessment.lines import UsageLine, rate
from billing.errors import ReportError
from billing.invoice.key import InvoiceReason
from billing.money import step, to_minor
from billing.pricing.fitting import fitted, misfit
from billing.pricing.rating import RateCard, RatedLine, RateVersion, Tier
from billing.report.check import ReportCheck
from billing.report.format import ReportHeader, ReportLine, decode_header, encode_header

START, LATER, CUTOFF = (datetime(2022, month, 1, tzinfo=UTC) for month in (1, 5, 6))
CURRENCIES = ("bhd", "eur", "huf", "isk", "jod", "jpy", "kwd", "omr", "tnd", "ugx", "usd")
# As a release before there were steps wrote it: 2,832.62 ISK.
OF_BEFORE = (
    '{"amount":283262,"attribution_id":"team:a","billing_period":"2022-05","claims":1,"credits":"100.000000",'
    '"currency":"isk","cutoff":"2022-06-01T00:00:00.000000Z","invoice_key":"2022-05/team:a/period","lines":['
    '{"amount":283262,"credits":"100.000000","credits_per_minute":"1","duration_us":6000000000,"line_no":1,'
    '"price_per_credit":"28.3262","rate_from":"2022-01-01T00:00:00.000000Z","rated_as_default":false,'
    '"workspace_class":"default"}],"rate_card":"edbe8e2ad444d4ee","reason":"period","version":1}\n'
)
prices = st.decimals(min_value=0, max_value=1000, places=6)


@st.composite
def cards(draw: st.DrawFn) -> RateCard:
    """Draw a card of two versions, with or without graduated prices, in every currency."""
    graduated = draw(st.booleans())

    def version(start: datetime) -> RateVersion:
        base = {currency: draw(prices) for currency in CURRENCIES}
        tiers = {c: (Tier(Decimal(50), price), Tier(None, draw(prices))) for c, price in base.items() if graduated}
        rates = {"default": Decimal("0.1666666667"), "xl": draw(st.decimals(min_value=0, max_value=9, places=10))}
        included = draw(st.integers(0, 100)) if graduated else 0
        return RateVersion(start, rates, base, {}, Decimal(included), {**tiers})

    return RateCard((version(START), version(LATER)))


@st.composite
def usages(draw: st.DrawFn) -> list[UsageLine]:
    """Draw an account's usage by class, rate version and month."""
    found = []
    for name in ("default", "xl"):
        for start in (START, LATER):
            for month in draw(st.sets(st.sampled_from(["2022-04", "2022-05"]))):
                us, quantity = draw(st.integers(1, 10**13)), draw(st.sampled_from([Decimal(1), Decimal("2.5")]))
                found.append(UsageLine(name, start, us, us * quantity, us // 3, us // 3 * quantity, "i", month))
    return found


def rated(card: RateCard, currency: str, usage: Sequence[UsageLine]) -> tuple[RatedLine, ...]:
    by_month = usage if card.is_graduated else [replace(each, month="") for each in usage]
    included = card.versions[0].included_credits
    return rate(card, currency, by_month, used={}, included=lambda _: included).lines


def header(lines: Sequence[RatedLine], currency: str) -> ReportHeader:
    return ReportHeader(
        invoice_key="2022-05/team:a/period",
        attribution_id="team:a",
        billing_period="2022-05",
        reason=InvoiceReason.PERIOD,
        cutoff=CUTOFF,
        currency=currency,
        rate_card="edbe8e2ad444d4ee",
        amount=sum(line.amount for line in lines),
        credits=sum((line.credits for line in lines), Decimal(0)),
        claims=1,
        lines=tuple(ReportLine(number, line) for number, line in enumerate(lines, 1)),
    )


@given(cards(), usages(), st.sampled_from(CURRENCIES))
def test_every_line_and_total_can_be_charged_and_the_report_agrees(
    card: RateCard, usage: list[UsageLine], currency: str
) -> None:
    lines = rated(card, currency, usage)
    made = header(lines, currency)
    assert misfit(lines, currency) is None
    assert made.amount % step(currency) == 0
    assert {line.step for line in lines} <= {step(currency)}
    ReportCheck(made)
    encoded = encode_header(made)
    assert decode_header(encoded) == made
    assert (b'"step"' in encoded) == bool(lines and step(currency) != 1)


@given(cards(), usages(), st.sampled_from(CURRENCIES))
def test_lines_of_before_are_rounded_again_as_they_are_today(
    card: RateCard, usage: list[UsageLine], currency: str
) -> None:
    today = rated(card, currency, usage)
    before = _of_before(today, currency)
    ReportCheck(header(before, currency))
    assert b'"step"' not in encode_header(header(before, currency))
    assert fitted(before, currency) == today
    assert fitted(today, currency) == today


def _of_before(lines: Sequence[RatedLine], currency: str) -> list[RatedLine]:
    """Return the lines as a release without steps priced them."""
    found: list[RatedLine] = []
    for line in lines:
        shares = line.tiers or ()
        exact = sum((share.credits * share.price for share in shares), Decimal(0))
        amount = to_minor(exact if shares else line.credits * line.price_per_credit, currency, 1)
        if shares:
            amount -= sum(each.amount for each in found if each.rate_from == line.rate_from and not each.tiers)
        found.append(replace(line, amount=amount, step=1))
    return found


def test_a_report_of_before_is_checked_by_its_own_step_and_keeps_its_bytes() -> None:
    found = decode_header(OF_BEFORE.encode())
    ReportCheck(found)
    assert encode_header(found).decode() == OF_BEFORE
    assert misfit([line.rated for line in found.lines], "isk") == 283262


def test_a_report_of_today_names_its_step() -> None:
    line = RateCard((RateVersion(START, {"default": Decimal(1)}, {"isk": Decimal("28.3262")}, {}),)).rate_line(
        "default", START, 6_000_000_000, "isk"
    )
    (document,) = json.loads(encode_header(header([line], "isk")))["lines"]
    assert (document["amount"], document["step"]) == (283300, 100)


@pytest.mark.parametrize("number", [0, -1, 7, 1000])
def test_another_step_is_refused(number: int) -> None:
    text = OF_BEFORE.replace('"workspace_class"', f'"step":{number},"workspace_class"')
    with pytest.raises(ReportError, match=f"step {number} is not one of 1, 10, 100"):
        decode_header(text.encode())
