"""What each claim of a report is worth, so that the claims of a line, and one rest, add up to the line's amount.

A line's credits and amount are rounded once, so the exact shares of its claims miss them by a fraction. That fraction
is the line's `LineRest`: rows of claims and rests together are exactly the invoice's credits and its amount.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from billing.errors import MismatchError
from billing.invoice.adjustments import adjustment_in_words
from billing.money import EXACT, exponent, to_major
from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine
from billing.report.format import ReportClaim, ReportHeader, ReportLine

DECIMALS = 8
"""The decimals to which a claim's minutes and credits are computed."""
_MORE_DECIMALS = 6
_CREDIT = Decimal("0.000001")  # to which a line's credits are rounded
_MICROSECONDS_PER_MINUTE = Decimal(60_000_000)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class ClaimAmount:
    """What one claim is worth at its line's rate and price per credit, before the line is rounded.

    `minutes` are those of its duration, without the quantity. `amount` is in major units, with six decimals more than
    the currency has.
    """

    minutes: Decimal
    credits: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LineRest:
    """What a line has beyond its claims: what rounding adds or takes, or the whole amount of a line without claims.

    `credits` and `amount` (in major units) can be zero, and negative. `why` is for people: `rounding`, the tiers:
    `500 credits included, 1,000 at 0.036`, or the invoice that an adjustment corrects.
    """

    line_no: int
    kind: LineKind
    credits: Decimal
    amount: Decimal
    why: str


def amount_decimals(currency: str) -> int:
    """Return the number of decimals of a claim's amount: six more than the currency has."""
    return exponent(currency) + _MORE_DECIMALS


class ReportAmounts:
    """Price the claims of one report, in order, and tell what is left of each line. Memory does not grow with them."""

    def __init__(self, header: ReportHeader) -> None:
        self._header = header
        self._lines = {line.line_no: line for line in header.lines}
        self._amount_unit = Decimal(1).scaleb(-amount_decimals(header.currency))
        self._unit = Decimal(1).scaleb(-DECIMALS)
        self._claims = dict.fromkeys(self._lines, 0)
        self._credits = dict.fromkeys(self._lines, _NOTHING)
        self._amounts = dict.fromkeys(self._lines, _NOTHING)

    def add(self, claim: ReportClaim) -> ClaimAmount:
        """Return what the claim is worth, and count it.

        The report is checked by its own `ReportCheck`: a claim of a line that the header lacks is a KeyError here.
        """
        rated = self._lines[claim.line_no].rated
        found = claim_amount(claim, rated, self._unit, self._amount_unit)
        number = claim.line_no
        self._claims[number] += 1
        self._credits[number] = EXACT.add(self._credits[number], found.credits)
        self._amounts[number] = EXACT.add(self._amounts[number], found.amount)
        return found

    def rests(self) -> tuple[LineRest, ...]:
        """Return the rest of every line, in order, after the last claim.

        Raises:
            MismatchError: the rounding of a line is more than rounding can be.
        """
        return tuple(self._rest(line) for line in self._header.lines)

    def _rest(self, line: ReportLine) -> LineRest:
        rated, number = line.rated, line.line_no
        credits = EXACT.subtract(rated.credits, self._credits[number])
        amount = EXACT.subtract(to_major(rated.amount, self._header.currency), self._amounts[number])
        if rated.kind is LineKind.TIERS:
            return LineRest(number, rated.kind, credits, amount, tiers_in_words(rated.tiers))
        if rated.kind is LineKind.ADJUSTMENT:
            return LineRest(number, rated.kind, credits, amount, adjustment_in_words(rated))
        most = self._most_rounding(rated, self._claims[number])
        if abs(amount) > most:
            worth = self._amounts[number]
            raise MismatchError(f"line {number}: its claims are worth {worth}, too far from {rated.amount} minor units")
        return LineRest(number, rated.kind, credits, amount, "rounding")

    def _most_rounding(self, rated: RatedLine, claims: int) -> Decimal:
        """Return the most that rounding can make of a line: its amount's, its credits' and that of each claim."""
        of_amount = to_major(rated.step, self._header.currency)
        return of_amount + rated.price_per_credit * _CREDIT + claims * self._amount_unit


def claim_amount(claim: ReportClaim, rated: RatedLine, unit: Decimal, amount_unit: Decimal) -> ClaimAmount:
    """Return what a claim of this line is worth, each figure rounded once, half to even, to its unit."""
    duration = Decimal(claim.duration_us)
    metered = EXACT.divide(EXACT.multiply(duration, claim.quantity), _MICROSECONDS_PER_MINUTE)
    credits = EXACT.multiply(metered, rated.credits_per_minute)
    return ClaimAmount(
        minutes=_rounded(EXACT.divide(duration, _MICROSECONDS_PER_MINUTE), unit),
        credits=_rounded(credits, unit),
        amount=_rounded(EXACT.multiply(credits, rated.price_per_credit), amount_unit),
    )


def _rounded(number: Decimal, unit: Decimal) -> Decimal:
    return number.quantize(unit, rounding=ROUND_HALF_EVEN, context=EXACT)
