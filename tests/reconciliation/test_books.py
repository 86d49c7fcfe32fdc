"""Report = claims = our lines = Stripe's lines: each comparison alone notices the differences that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.errors import EditedInvoiceError, MismatchError, ReportError
from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.report.check import LineSum
from billing.report.format import ReportClaim, StoredReport
from contracts.messages.invoices import StripeInvoiceLine, StripeInvoiceSnapshot
from reconciliation.books import check_claim, check_no_more_claims, check_report, check_stripe
from reconciliation.figures import expected_figures, lines_digest
from tests.billing.reports import claim
from tests.reconciliation.invoices import CLAIMS, in_stripe, invoice, report

Snapshot = StripeInvoiceSnapshot
Lines = list[StripeInvoiceLine]
MINE = invoice()
CLAIMED = {1: LineSum(5_400_000_000, 2, Decimal(5_400_000_000)), 2: LineSum(3_600_000_000, 1, Decimal(3_600_000_000))}


def _metadata(snapshot: Snapshot, **changes: str | None) -> dict[str, Any]:
    changed = {**snapshot.metadata, **changes}
    return {"metadata": {key: value for key, value in changed.items() if value is not None}}


OTHER: dict[str, Callable[[Snapshot], dict[str, Any]]] = {
    "metadata perdure_invoice of in_1": lambda found: _metadata(found, perdure_invoice="other"),
    "metadata report_id of in_1": lambda found: _metadata(found, report_id="other"),
    "metadata attribution_id of in_1": lambda found: _metadata(found, attribution_id="other"),
    "metadata billing_period of in_1": lambda found: _metadata(found, billing_period=None),
    "currency of in_1": lambda _: {"currency": "eur"},
    "customer of in_1": lambda _: {"stripe_customer_id": "cus_2"},
}
LINES: dict[str, Callable[[Lines], Lines]] = {
    "missing": lambda lines: lines[:1],
    "twice": lambda lines: [*lines, lines[0]],
    "added by hand": lambda lines: [*lines, StripeInvoiceLine(line_id="", amount=0, currency="usd")],
    "another amount": lambda lines: [lines[0], lines[1].model_copy(update={"amount": lines[1].amount + 1})],
    "amounts exchanged": lambda lines: [
        lines[0].model_copy(update={"amount": lines[1].amount}),
        lines[1].model_copy(update={"amount": lines[0].amount}),
    ],
}


def test_books_that_agree_are_proved() -> None:
    check_stripe(MINE, in_stripe(MINE))
    check_stripe(MINE, in_stripe(MINE, lines=list(reversed(in_stripe(MINE).lines))))


@pytest.mark.parametrize("what", OTHER)
def test_stripe_says_something_else(what: str) -> None:
    found = in_stripe(MINE)
    with pytest.raises(MismatchError, match=f"^{what}: found ") as error:
        check_stripe(MINE, found.model_copy(update=OTHER[what](found)))
    assert not isinstance(error.value, EditedInvoiceError)


@pytest.mark.parametrize("how", LINES)
def test_stripes_lines_are_others(how: str) -> None:
    found = in_stripe(MINE)
    edited = found.model_copy(update={"lines": LINES[how](list(found.lines))})
    with pytest.raises(EditedInvoiceError, match=r"^subtotal, in minor units, and lines of in_1: found ") as error:
        check_stripe(MINE, edited)
    assert error.value.subtotal == found.subtotal
    assert error.value.digest == lines_digest((line.line_id, line.amount) for line in edited.lines)


def test_another_subtotal_with_the_same_lines() -> None:
    with pytest.raises(EditedInvoiceError, match="subtotal") as error:
        check_stripe(MINE, in_stripe(MINE, subtotal=MINE.amount + 1))
    assert error.value.subtotal == MINE.amount + 1


def test_a_line_of_another_currency() -> None:
    first, second = in_stripe(MINE).lines
    with pytest.raises(MismatchError, match="currencies of the lines of in_1 other than usd: found \\['eur'\\]"):
        check_stripe(MINE, in_stripe(MINE, lines=[first, second.model_copy(update={"currency": "eur"})]))


def test_what_a_person_accepted_counts_in_place_of_our_lines() -> None:
    edited = in_stripe(MINE, subtotal=1, lines=[StripeInvoiceLine(line_id="", amount=1, currency="usd")])
    digest = lines_digest([("", 1)])
    accepted = invoice(accepted_subtotal=1, accepted_digest=digest)
    check_stripe(accepted, edited)
    assert (expected_figures(accepted).subtotal, expected_figures(accepted).digest) == (1, digest)
    with pytest.raises(EditedInvoiceError, match=r"^accepted subtotal, in minor units, and digest of in_1: found "):
        check_stripe(accepted, in_stripe(MINE))


def test_of_a_subscriptions_invoice_our_lines_alone_are_compared() -> None:
    ours = invoice(charge_on=ChargeOn.SUBSCRIPTION)
    fee = StripeInvoiceLine(line_id="", amount=999, currency="usd")
    lines = in_stripe(ours).lines
    check_stripe(ours, in_stripe(ours, subtotal=ours.amount + 999, lines=[*lines, fee]))
    with pytest.raises(EditedInvoiceError) as error:
        check_stripe(ours, in_stripe(ours, subtotal=ours.amount + 999, lines=[lines[0], fee]))
    assert error.value.subtotal == lines[0].amount


async def test_a_report_that_agrees_is_proved() -> None:
    await check_report(MINE, report(), CLAIMED)


def _first_line(record: InvoiceRecord, **changes: Any) -> InvoiceRecord:
    first, *others = record.lines
    changed = InvoiceLineRecord(first.line_no, replace(first.rated, **changes), first.carried_us)
    return replace(record, lines=(changed, *others))


OURS = {
    "invoice_key of the report": replace(MINE, key="2022-05/team:a/period/2"),
    "cutoff of the report": replace(MINE, cutoff=MINE.cutoff - timedelta(seconds=1)),
    "currency of the report": replace(MINE, currency="eur"),
    "amount of the report": replace(MINE, amount=MINE.amount + 1),
    "credits of the report": replace(MINE, credits=MINE.credits + 1),
    "report's lines": _first_line(MINE, credits=MINE.lines[0].rated.credits + Decimal("0.000001")),
}


@pytest.mark.parametrize("what", OURS)
async def test_our_lines_and_the_report_differ(what: str) -> None:
    with pytest.raises(MismatchError, match=f"^{what}: found "):
        await check_report(OURS[what], report(), CLAIMED)


@pytest.mark.parametrize(
    "claimed",
    [
        {1: LineSum(5_399_999_999, 2, Decimal(5_399_999_999)), 2: LineSum(3_600_000_000, 1, Decimal(3_600_000_000))},
        {1: LineSum(5_400_000_000, 3, Decimal(5_400_000_000)), 2: LineSum(3_600_000_000, 1, Decimal(3_600_000_000))},
        {1: LineSum(3_600_000_000, 1, Decimal(3_600_000_000)), 2: LineSum(5_400_000_000, 2, Decimal(5_400_000_000))},
        {1: LineSum(5_400_000_000, 2, Decimal(5_400_000_000))},
    ],
)
async def test_the_claims_are_not_the_reports(claimed: dict[int, LineSum]) -> None:
    with pytest.raises(MismatchError, match=r"^claims by line: found "):
        await check_report(MINE, report(), claimed)


@pytest.mark.parametrize(
    ("found", "error", "what"),
    [
        (report(claims=2), MismatchError, "number of claims"),
        (report(amount=MINE.amount + 1), MismatchError, "amount of all lines"),
        (report(attribution_id="team:b"), ReportError, "attribution_id"),
        (report([CLAIMS[1], CLAIMS[0]]), ReportError, "out of order"),
    ],
)
async def test_a_report_disagrees_with_itself(found: StoredReport, error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what):
        await check_report(MINE, found, CLAIMED)


async def test_a_report_is_read_no_further_than_its_first_fault() -> None:
    """It is also closed: a report of any size is streamed, and nothing of it is kept."""
    given: list[ReportClaim] = []
    closed: list[bool] = []

    async def endless() -> Any:
        try:
            while True:
                given.append(CLAIMS[0])
                yield given[-1]
        finally:
            closed.append(True)

    with pytest.raises(ReportError, match="overlaps"):
        await check_report(MINE, replace(report(), claims=endless()), CLAIMED)
    assert (len(given), closed) == (2, [True])


def test_claims_are_compared_place_by_place() -> None:
    check_claim(CLAIMS[0], replace(CLAIMS[0], workspace_id="moved"))
    span = r"\[2022-05-01T00:00:00\.000000Z, 2022-05-01T01:00:00\.000000Z\)"
    for ours in (claim("i-9"), replace(CLAIMS[0], line_no=2), claim("i-1", 1), claim("i-1", end=3_599_999_999)):
        with pytest.raises(MismatchError, match=f"^the report has i-1 {span} on line 1, Postgres has i-"):
            check_claim(CLAIMS[0], ours)
    with pytest.raises(MismatchError, match=r"Postgres has no more claims$"):
        check_claim(CLAIMS[0], None)
    check_no_more_claims(None)
    with pytest.raises(MismatchError, match=f"^Postgres has i-1 {span} on line 1, which the report lacks$"):
        check_no_more_claims(CLAIMS[0])
