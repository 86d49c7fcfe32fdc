"""The check of a streamed report: any change is found, and a mismatch gives both figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import MismatchError, ReportError
from billing.report.check import LineSum, ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportId
from tests.billing.reports import CUTOFF, MICROSECOND, claim, claim_lists, header_of

HOUR = 3_600_000_000
MONTH = 31 * 24 * HOUR
GOOD = [claim("a", 0, HOUR), claim("a", HOUR, 2 * HOUR, line_no=2), claim("b", 5, 6), claim("c", 0, MONTH)]


def check(header: ReportHeader, claims: Sequence[ReportClaim]) -> dict[int, LineSum]:
    found = ReportCheck(header, of=ReportId("2022-05", "team:a", "0" * 64))
    for item in claims:
        found.add(item)
    return found.finish()


@given(claim_lists())
def test_sound_reports_pass_and_give_their_sums(claims: list[ReportClaim]) -> None:
    sums = check(header_of(claims), claims)
    for number in (1, 2):
        own = [item for item in claims if item.line_no == number]
        assert sums[number] == LineSum(
            sum(item.duration_us for item in own), len(own), Decimal(sum(item.duration_us for item in own))
        )


@given(claim_lists().filter(bool), st.data())
def test_a_claim_that_is_lost_doubled_or_changed_is_found(claims: list[ReportClaim], data: st.DataObject) -> None:
    header = header_of(claims)
    index = data.draw(st.integers(0, len(claims) - 1))
    item = claims[index]
    other = 3 - item.line_no
    for instead in (
        [],
        [item, item],
        [replace(item, end=item.end + MICROSECOND)],
        [replace(item, end=item.end - MICROSECOND)],
        [replace(item, line_no=other)],
        [replace(item, line_no=9)],
    ):
        with pytest.raises((MismatchError, ReportError)):
            check(header, [*claims[:index], *instead, *claims[index + 1 :]])


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([claim("a", line_no=3)], "claim 1 of 'a' .* belongs to line 3, which the header lacks"),
        ([claim("a", 5, 5)], "does not end after its start"),
        ([claim("a", 5, 4)], "does not end after its start"),
        ([claim("a", 0, MONTH + 1)], "ends after the cutoff 2022-06-01T00:00:00.000000Z"),
        ([claim("a", -1, HOUR)], "starts before its rate takes effect at 2022-05-01T00:00:00.000000Z"),
        ([claim("b"), claim("a")], "claim 2 of 'a' .* is out of order"),
        ([claim("a", 10, 20), claim("a", 0, 5)], "claim 2 of 'a' .* is out of order"),
        (
            [claim("a", 0, 20), claim("a", 19, 30)],
            r"overlaps the claim before it, which ends at 2022-05-01T00:00:00.000020Z",
        ),
        ([claim("a", 0, 20), claim("a", 5, 10)], "overlaps the claim before it"),
        ([claim("a", 0, 20), claim("a", 0, 20, line_no=2)], "overlaps the claim before it"),
    ],
)
def test_claims_of_the_wrong_form_are_refused(claims: list[ReportClaim], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        check(header_of([]), claims)


def test_mismatches_give_both_figures() -> None:
    header = header_of(GOOD)
    with pytest.raises(MismatchError, match="number of claims: the report's header says 4, the total is 3"):
        check(header, GOOD[1:])
    longer = [replace(GOOD[0], end=GOOD[0].end - MICROSECOND), *GOOD[1:]]
    said, found = header.lines[0].rated.duration_us, header.lines[0].rated.duration_us - 1
    with pytest.raises(MismatchError, match=f"duration_us of line 1: .* says {said}, its claims total {found}"):
        check(header, longer)


def test_a_header_that_disagrees_with_itself_is_found() -> None:
    header = header_of(GOOD)
    first, second = header.lines
    for changed, what in (
        (replace(header, amount=header.amount + 1), "amount of all lines"),
        (replace(header, credits=header.credits + Decimal("0.000001")), "credits of all lines"),
        (_with(header, amount=first.rated.amount + 1), "amount of line 1"),
        (_with(header, credits=first.rated.credits + Decimal("0.000001")), "credits of line 1"),
        (_with(header, duration_us=first.rated.duration_us + HOUR), "credits of line 1"),
        (_with(header, credits_per_minute=Decimal("9")), "credits of line 1"),
        (_with(header, price_per_credit=Decimal("9")), "amount of line 1"),
        (replace(header, currency="kwd"), "amount of line 1"),
    ):
        with pytest.raises(MismatchError, match=what):
            ReportCheck(changed)
    for lines in ((second, first), (first, first), (second,), (replace(first, line_no=0), second)):
        with pytest.raises(ReportError, match="numbered"):
            ReportCheck(replace(header, lines=lines))


def _with(header: ReportHeader, **change: object) -> ReportHeader:
    first = header.lines[0]
    rated = replace(first.rated, **change)  # type: ignore[arg-type]
    return replace(header, lines=(replace(first, rated=rated), *header.lines[1:]))


def test_a_report_under_anothers_name_is_refused() -> None:
    header = header_of(GOOD)
    with pytest.raises(ReportError, match="attribution_id: the report's header says 'team:a', its id says 'team:b'"):
        ReportCheck(header, of=ReportId("2022-05", "team:b", "0" * 64))
    with pytest.raises(ReportError, match="billing_period"):
        ReportCheck(header, of=ReportId("2022-06", "team:a", "0" * 64))


def test_an_earlier_cutoff_is_kept_to_the_microsecond() -> None:
    cutoff = CUTOFF - timedelta(days=1)
    end = (31 - 1) * 24 * HOUR
    exact = [claim("a", 0, end)]
    assert check(replace(header_of(exact), cutoff=cutoff), exact)[1].claims == 1
    late = [claim("a", 0, end + 1)]
    with pytest.raises(ReportError, match="ends after the cutoff"):
        check(replace(header_of(late), cutoff=cutoff), late)
