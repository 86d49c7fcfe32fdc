"""The figures of a period: what it comes to, by currency and state, and how it compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from billing.invoice.states import BILLED, DEAD, OPEN, InvoiceState
from storage.totals.totals import StateTotal


@dataclass(frozen=True)
class CurrencyFigures:
    """What a period comes to in one currency, in minor units.

    `edited`: what edits in Stripe that a person accepted change. `net`: billed and open, with these, after credits;
    dead invoices count nothing. `before`: the net of the month before, None if
    it had no invoices in this currency. `change`: in words, "" if there is nothing to compare with.
    """

    currency: str
    invoices: int
    billed: int
    open: int
    edited: int
    credited: int
    net: int
    before: int | None
    change: str


@dataclass(frozen=True)
class StateFigures:
    """The invoices of a period in one state, with amounts in minor units by currency."""

    state: InvoiceState
    invoices: int
    amounts: Mapping[str, int]


def by_currency(states: Sequence[StateTotal], before: Sequence[StateTotal]) -> list[CurrencyFigures]:
    """Return the figures of each currency, compared with the month before."""
    previous = {each.currency: each.net for each in by_currency(before, ())} if before else {}
    return [
        _of_currency(currency, [each for each in states if each.currency == currency], previous.get(currency))
        for currency in sorted({each.currency for each in states})
    ]


def by_state(states: Sequence[StateTotal]) -> list[StateFigures]:
    """Return the figures of each state, in the order of an invoice's life."""
    return [
        StateFigures(
            state,
            sum(each.invoices for each in states if each.state is state),
            {each.currency: each.amount for each in states if each.state is state},
        )
        for state in InvoiceState
        if any(each.state is state for each in states)
    ]


def settled_of(states: Sequence[StateTotal]) -> tuple[int, int]:
    """Return how many of the live invoices are settled, and how many there are."""
    live = [each for each in states if each.state not in DEAD]
    return sum(each.invoices for each in live if each.state in BILLED), sum(each.invoices for each in live)


def state_of(
    states: Sequence[StateTotal], settled_at: datetime | None, held: tuple[str, datetime | None] | None
) -> tuple[str, str, datetime | None]:
    """Return the state of a period that has ended in a word, what that means, and since when."""
    settled, live = settled_of(states)
    if held is not None:
        return "held", held[0], held[1]
    if live > settled:
        return "in progress", f"{settled:,} of {live:,} invoices are settled.", None
    if settled_at is not None:
        return "settled", f"{live:,} invoices are settled.", settled_at
    return ("in progress", "Its run has not ended.", None) if live else ("not run", "Nothing is billed yet.", None)


def change_in_words(net: int, before: int | None) -> str:
    """Return how an amount has changed: `+12.5 %`, `no change`; "" if there was none before."""
    if not before:
        return ""
    share = (Decimal(net - before) * 100 / abs(before)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return "no change" if share == 0 else f"{share:+,} %".replace("-", "−")


def _of_currency(currency: str, states: Sequence[StateTotal], before: int | None) -> CurrencyFigures:
    live = [each for each in states if each.state not in DEAD]
    billed = sum(each.amount for each in live if each.state in BILLED)
    still = sum(each.amount for each in live if each.state in OPEN)
    credited = sum(each.credited for each in live)
    edited = sum(each.edited for each in live)
    net = billed + still + edited - credited
    invoices = sum(each.invoices for each in live)
    return CurrencyFigures(
        currency, invoices, billed, still, edited, credited, net, before, change_in_words(net, before)
    )
