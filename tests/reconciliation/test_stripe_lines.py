"""Our lines as Stripe gets them: at most 250, deterministic, with the same total."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.pricing.rating import ADJUSTMENT_CLASS, LineKind, RatedLine, TierShare
from reconciliation.stripe_lines import expected_lines, stripe_lines
from tests.reconciliation.invoices import invoice

START = datetime(2022, 1, 1, tzinfo=UTC)
LINE = RatedLine("c", START, Decimal("0.5"), False, Decimal("0.01"), 3_600_000_000, Decimal(30), 30)
INCLUDED = (TierShare(Decimal(9), Decimal(0)),)
TIERS = replace(LINE, workspace_class="", credits=Decimal(0), amount=-7, kind=LineKind.TIERS, tiers=INCLUDED)

ADJUSTMENT = replace(
    LINE, workspace_class=ADJUSTMENT_CLASS, duration_us=0, credits=Decimal(0), amount=700, kind=LineKind.ADJUSTMENT,
    correction_key="2022-04/team:a/period/correction/2",
)  # fmt: skip


def classes(count: int, versions: int = 1) -> list[RatedLine]:
    return [
        replace(LINE, workspace_class=f"c{number:03d}", rate_from=START.replace(month=version), amount=number)
        for number in range(count)
        for version in range(1, versions + 1)
    ]


def test_up_to_250_are_one_to_one() -> None:
    items = stripe_lines(invoice(lines=[*classes(248), TIERS, ADJUSTMENT]))
    assert [item.line_id.rpartition("#")[2] for item in items] == [str(number) for number in range(1, 251)]
    assert items[-2].description == "Included credits and graduated prices: 9 credits included"
    assert items[-1].description == "Correction of invoice 2022-04/team:a/period"


@pytest.mark.parametrize(("count", "versions", "expected"), [(200, 2, 200), (251, 1, 250), (300, 3, 250)])
@pytest.mark.parametrize("tiers", [(), (TIERS, TIERS)])
@pytest.mark.parametrize("adjustments", [(), (ADJUSTMENT, ADJUSTMENT)])
def test_more_are_folded_by_class_to_the_same_amount(
    count: int, versions: int, expected: int, tiers: tuple[RatedLine, ...], adjustments: tuple[RatedLine, ...]
) -> None:
    lines = [*classes(count, versions), *tiers, *adjustments]
    items = stripe_lines(invoice(lines=lines))
    assert len(items) == min(expected + bool(tiers) + bool(adjustments), 250)
    assert len({item.line_id for item in items}) == len(items)
    assert sum(item.amount for item in items) == sum(line.amount for line in lines)
    assert expected_lines(invoice(lines=lines)) == sorted((item.line_id, item.amount) for item in items)


def test_the_smallest_classes_share_a_line() -> None:
    items = stripe_lines(invoice(lines=classes(300)))
    others = next(item for item in items if item.line_id.endswith("#others"))
    assert others.description.startswith("51 further workspace classes: 51.00 h")
    assert others.amount == sum(range(51))


def test_a_long_description_is_cut_with_an_ellipsis() -> None:
    # Stripe takes 500 characters: https://docs.stripe.com/changelog (2018-10-31)
    shares = tuple(TierShare(Decimal(number), Decimal(number)) for number in range(1, 60))
    long = [replace(LINE, workspace_class="ß" * 600), replace(TIERS, tiers=shares)]
    for item in stripe_lines(invoice(lines=long)):
        assert len(item.description) == 500
        assert item.description.endswith("…")
    folded = [replace(line, workspace_class=line.workspace_class * 200) for line in classes(260)]
    assert max(len(item.description) for item in stripe_lines(invoice(lines=folded))) == 500
    assert not stripe_lines(invoice(lines=[replace(LINE, workspace_class="c" * 400)]))[0].description.endswith("…")
