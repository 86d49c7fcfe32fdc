"""A line that charges a correction: rated, in a report, and worth its amount."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.assessment.adjusting import WaitingAdjustment, adjustment_line
from billing.errors import InputError, MismatchError, ReportError
from billing.invoice.adjustments import adjustment_in_words
from billing.invoice.key import CorrectionKey
from billing.pricing.fitting import fitted, misfit
from billing.pricing.rating import LineKind, RatedLine
from billing.report.amounts import ReportAmounts
from billing.report.check import ReportCheck
from billing.report.format import ReportHeader, ReportLine, decode_header, encode_header
from tests.billing.reports import START, claim, header_of

KEY = "2022-04/team:a/period/2/correction/3"
LINE = adjustment_line(WaitingAdjustment(KEY, 700, START), "usd")


def charging(line: RatedLine = LINE) -> ReportHeader:
    """Return the header of a report with a claim and this line."""
    header = header_of([claim()])
    lines = (*header.lines, ReportLine(3, line))
    return replace(header, lines=lines, amount=header.amount + line.amount)


def test_its_key_is_parsed_as_it_was_built() -> None:
    assert str(CorrectionKey.parse(KEY)) == KEY
    assert adjustment_in_words(LINE) == "Correction of invoice 2022-04/team:a/period/2"
    for text in ("", "2022-04/team:a/period", "/correction/1", f"{KEY}/correction/0", f"{KEY[:-1]}03", f"{KEY}x"):
        with pytest.raises(InputError):
            CorrectionKey.parse(text)


def test_the_report_has_its_key_and_other_lines_keep_their_bytes() -> None:
    header = charging()
    encoded = encode_header(header)
    assert decode_header(encoded) == header
    assert encode_header(decode_header(encoded)) == encoded
    assert b'"amount":700,"correction_key":"2022-04/team:a/period/2/correction/3",' in encoded
    assert b'"kind":"adjustment"' in encoded
    assert b"correction_key" not in encode_header(header_of([claim()]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"kind":"adjustment"', b'"kind":"usage"'),
        (b'"correction_key":"2022-04/team:a/period/2/correction/3",', b""),
        (b'"2022-04/team:a/period/2/correction/3"', b"3"),
    ],
    ids=["of usage", "without a key", "not a text"],
)
def test_a_line_that_is_not_quite_one_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(ReportError, match="correction_key"):
        decode_header(encode_header(charging()).replace(old, new))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"duration_us": 1}, MismatchError),
        ({"quantity_us": Decimal(1)}, MismatchError),
        ({"credits": Decimal(1)}, MismatchError),
        ({"credits_per_minute": Decimal(1)}, MismatchError),
        ({"price_per_credit": Decimal(1)}, MismatchError),
        ({"correction_key": "2022-04/team:a/period"}, ReportError),
    ],
)
def test_it_has_an_amount_alone(change: dict[str, Any], error: type[Exception]) -> None:
    ReportCheck(charging())
    with pytest.raises(error, match="line 3"):
        ReportCheck(charging(replace(LINE, **change)))


def test_no_claim_belongs_to_it() -> None:
    with pytest.raises(ReportError, match="belongs to line 3, which is not a line of usage"):
        ReportCheck(charging()).add(claim(line_no=3))


def test_all_of_it_is_a_rest() -> None:
    amounts = ReportAmounts(charging())
    amounts.add(claim())
    *_, rest = amounts.rests()
    assert (rest.kind, rest.amount, rest.credits) == (LineKind.ADJUSTMENT, Decimal(7), Decimal(0))
    assert rest.why == "Correction of invoice 2022-04/team:a/period/2"


def test_a_rounded_invoice_keeps_it() -> None:
    of_before = replace(LINE, kind=LineKind.USAGE, credits=Decimal("10.5"), price_per_credit=Decimal(1), amount=1050)
    line = adjustment_line(WaitingAdjustment(KEY, 700, START), "isk")
    assert misfit([of_before, line], "isk") == 1050
    assert [each.amount for each in fitted([of_before, line], "isk")] == [1100, 700]
