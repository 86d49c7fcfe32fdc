"""Check a usage report while it is streamed: the header against itself, and the claims against the header."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.errors import InputError, MismatchError, ReportError
from billing.invoice.key import CorrectionKey
from billing.money import EXACT, to_minor
from billing.pricing.graduation import tiers_amount
from billing.pricing.rating import LineKind, rate_credits
from billing.report.canonical import format_instant
from billing.report.format import ReportClaim, ReportHeader, ReportId, ReportLine


@dataclass
class LineSum:
    """The totals of one line's claims; `quantity_us` is Σ (duration × quantity)."""

    duration_us: int = 0
    claims: int = 0
    quantity_us: Decimal = Decimal(0)


class ReportCheck:
    """Prove that a report's header and its claims, fed in order, agree. Memory use does not grow with the claims.

    A `MismatchError` gives two figures that differ; a `ReportError` says that the form is wrong.
    """

    def __init__(self, header: ReportHeader, of: ReportId | None = None) -> None:
        """Check that the header's lines are priced and summed correctly, and that it is the header that `of` names.

        Raises:
            MismatchError: figures in the header disagree.
            ReportError: the line numbers are not 1, 2, 3 ..., or the account or period is not the one of `of`.
        """
        self._header = header
        self._last: ReportClaim | None = None
        self._claims = 0
        self.sums = {line.line_no: LineSum() for line in header.lines}
        """The totals of the claims fed so far, by line number."""
        self._lines = {line.line_no: line for line in header.lines}
        if of is not None:
            _same("attribution_id", header.attribution_id, of.attribution_id)
            _same("billing_period", header.billing_period, of.period)
        numbers = [line.line_no for line in header.lines]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ReportError(f"the header's lines are numbered {numbers}, not 1, 2, 3 ...")
        for line in header.lines:
            if line.rated.kind is LineKind.TIERS:
                _check_tiers(line, header)
            elif line.rated.kind is LineKind.ADJUSTMENT:
                _check_adjustment(line)
            else:
                _check_price(line, header.currency)
        _figures("amount of all lines", header.amount, sum(line.rated.amount for line in header.lines))
        credits = sum((line.rated.credits for line in header.lines), Decimal(0))
        _figures("credits of all lines", header.credits, credits)

    def add(self, claim: ReportClaim) -> None:
        """Check the next claim and add it to the sums.

        Raises:
            ReportError: the claim is empty, out of order, overlaps the one before it, ends after the cutoff, starts
                before its line's rate is in force, or belongs to no line of usage.
        """
        line = self._lines.get(claim.line_no)
        if line is None:
            raise self._fault(claim, f"belongs to line {claim.line_no}, which the header lacks")
        if line.rated.kind is not LineKind.USAGE:
            raise self._fault(claim, f"belongs to line {claim.line_no}, which is not a line of usage")
        if claim.start >= claim.end:
            raise self._fault(claim, "does not end after its start")
        if claim.quantity <= 0:
            raise self._fault(claim, f"has the quantity {claim.quantity}, which is not above zero")
        if claim.end > self._header.cutoff:
            raise self._fault(claim, f"ends after the cutoff {format_instant(self._header.cutoff)}")
        if claim.start < line.rated.rate_from:
            raise self._fault(claim, f"starts before its rate takes effect at {format_instant(line.rated.rate_from)}")
        last = self._last
        if last is not None:
            if (claim.instance_id, claim.start) < (last.instance_id, last.start):
                raise self._fault(claim, "is out of order: claims are sorted by instance id and start")
            if claim.instance_id == last.instance_id and claim.start < last.end:
                raise self._fault(claim, f"overlaps the claim before it, which ends at {format_instant(last.end)}")
        self._last = claim
        self._claims += 1
        line_sum = self.sums[claim.line_no]
        line_sum.duration_us += claim.duration_us
        line_sum.quantity_us = EXACT.add(
            line_sum.quantity_us, EXACT.multiply(Decimal(claim.duration_us), claim.quantity)
        )
        line_sum.claims += 1

    def finish(self) -> dict[int, LineSum]:
        """Return the sums by line number, after the last claim.

        Raises:
            MismatchError: the sums are not those of the header.
        """
        _figures("number of claims", self._header.claims, self._claims)
        for line in self._header.lines:
            _figures(
                f"duration_us of line {line.line_no}",
                line.rated.duration_us,
                self.sums[line.line_no].duration_us,
                "its claims total",
            )
            _figures(
                f"quantity_us of line {line.line_no}",
                line.rated.metered_us,
                self.sums[line.line_no].quantity_us,
                "its claims total",
            )
        return self.sums

    def _fault(self, claim: ReportClaim, fault: str) -> ReportError:
        start, end = format_instant(claim.start), format_instant(claim.end)
        return ReportError(f"claim {self._claims + 1} of {claim.instance_id!r} [{start}, {end}) {fault}")


def _check_price(line: ReportLine, currency: str) -> None:
    rated = line.rated
    credits = rate_credits(rated.metered_us, rated.credits_per_minute)
    _figures(f"credits of line {line.line_no}", rated.credits, credits, "its duration is worth")
    amount = to_minor(EXACT.multiply(rated.credits, rated.price_per_credit), currency, rated.step)
    _figures(f"amount of line {line.line_no}", rated.amount, amount, "its credits cost")


def _check_tiers(line: ReportLine, header: ReportHeader) -> None:
    """Check a line of tiers: its shares add up to the credits of its rate version's usage lines, and cost the total."""
    tiers = line.rated
    usage = [
        each.rated
        for each in header.lines
        if each.rated.kind is LineKind.USAGE and each.rated.rate_from == tiers.rate_from
    ]
    what = f"line {line.line_no}"
    _figures(f"duration_us of {what}", tiers.duration_us, 0, "but a line of tiers has")
    _figures(f"credits of {what}", tiers.credits, Decimal(0), "but a line of tiers has")
    shared = sum((share.credits for share in tiers.tiers), Decimal(0))
    _figures(f"credits of the shares of {what}", shared, sum((each.credits for each in usage), Decimal(0)))
    amount = tiers_amount(tiers.tiers, header.currency, tiers.step) - sum(each.amount for each in usage)
    _figures(f"amount of {what}", tiers.amount, amount, "its shares add")


def _check_adjustment(line: ReportLine) -> None:
    """Check a line of the kind adjustment: it has an amount alone."""
    rated, what = line.rated, f"line {line.line_no}"
    for name, said in (
        ("duration_us", rated.metered_us),
        ("credits", rated.credits),
        ("credits_per_minute", rated.credits_per_minute),
        ("price_per_credit", rated.price_per_credit),
    ):
        _figures(f"{name} of {what}", said, Decimal(0), "but a line of an adjustment has")
    try:
        CorrectionKey.parse(rated.correction_key or "")
    except InputError as error:
        raise ReportError(f"{what}: {error}") from error


def _figures(what: str, said: int | Decimal, found: int | Decimal, come_to: str = "the total is") -> None:
    if said != found:
        raise MismatchError(f"{what}: the report's header says {said}, {come_to} {found}")


def _same(what: str, said: str, wanted: str) -> None:
    if said != wanted:
        raise ReportError(f"{what}: the report's header says {said[:150]!r}, its id says {wanted!r}")
