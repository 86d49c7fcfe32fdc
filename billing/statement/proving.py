"""Prove that what a statement shows adds up, before anything of it is written."""

from __future__ import annotations

from decimal import Decimal

from billing.errors import MismatchError
from billing.money import EXACT, to_major
from billing.pricing.rating import LineKind
from billing.statement.model import Statement, StatementLine, item_decimals

_CREDIT = Decimal("0.000001")
_NOTHING = Decimal(0)


def prove(statement: Statement) -> None:
    """Sum the statement again from what it shows: items and rests, lines, projects, adjustments.

    Raises:
        MismatchError: a sum differs from the figure that is shown for it, or a rest is more than rounding can be. The
            message says that the statement is refused, and why.
    """
    amounts, credits, items = _NOTHING, _NOTHING, 0
    for line in statement.lines:
        found = _prove_line(statement, line)
        amounts, credits, items = EXACT.add(amounts, found[0]), EXACT.add(credits, found[1]), items + found[2]
    subtotal = sum(line.record.rated.amount for line in statement.lines)
    _same(statement, "the lines", subtotal, statement.amount)
    line_credits = sum((line.record.rated.credits for line in statement.lines), _NOTHING)
    _same(statement, "the credits of the lines", line_credits, statement.credits)
    _same(statement, "the number of instances", items, statement.extent.items)
    if statement.projects:
        of_projects = sum((each.amount for each in statement.projects), _NOTHING)
        _same(statement, "the projects", of_projects, amounts)
        of_credits = sum((each.credits for each in statement.projects), _NOTHING)
        _same(statement, "the credits of the projects", of_credits, credits)
    total = statement.amount + sum(each.amount for each in statement.adjustments)
    _same(statement, "subtotal, discounts and tax", total, statement.total)


def _prove_line(statement: Statement, line: StatementLine) -> tuple[Decimal, Decimal, int]:
    """Return amount, credits and number of the line's items."""
    rated, what = line.record.rated, f"line {line.record.line_no}"
    amount, credits, count, duration_us = _NOTHING, _NOTHING, 0, 0
    for item in statement.items.of_line(line.record.line_no):
        amount, credits = EXACT.add(amount, item.amount), EXACT.add(credits, item.credits)
        count, duration_us = count + 1, duration_us + item.duration_us
    _same(statement, f"the instances of {what}", count, line.items)
    _same(statement, f"the time of {what}", duration_us, rated.duration_us)
    _same(statement, f"the credits of {what}", EXACT.add(credits, line.rest_credits), rated.credits)
    shown = to_major(rated.amount, statement.currency)
    _same(statement, f"the amounts of {what}", EXACT.add(amount, line.rest_amount), shown)
    most = EXACT.add(to_major(rated.step, statement.currency), count * _unit(statement))
    most = EXACT.add(most, rated.price_per_credit * _CREDIT)
    if rated.kind is LineKind.USAGE and abs(line.rest_amount) > most:
        raise _refused(statement, f"{what} has {line.rest_amount} more than its instances, which is no rounding")
    return amount, credits, count


def _unit(statement: Statement) -> Decimal:
    return Decimal(1).scaleb(-item_decimals(statement.currency))


def _same(statement: Statement, what: str, found: Decimal | int, shown: Decimal | int) -> None:
    if found != shown:
        raise _refused(statement, f"{what}: the sum is {found}, the invoice has {shown}")


def _refused(statement: Statement, why: str) -> MismatchError:
    return refused(statement.key, statement.attribution_id, why)


def refused(key: str, attribution_id: str, why: str) -> MismatchError:
    """Return the error of a statement that does not add up."""
    return MismatchError(f"the statement of {key} is refused: {why}; an audit of {attribution_id} says more")
