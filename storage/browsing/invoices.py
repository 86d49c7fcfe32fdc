"""Invoices for people: a page of them, all of them one by one, and their totals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from billing.money import exponents
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_BEYOND = "\U0010ffff"  # sorts after everything that begins with a text
_FEW = 1000
"""As many invoices of a text are found by their ids; more by asking each invoice."""


class InvoiceOrder(StrEnum):
    """What a list of invoices is sorted by."""

    DATE = "date"
    """The instant at which the invoice was created."""
    AMOUNT = "amount"
    ACCOUNT = "account"
    KEY = "key"


_PAGES = {
    InvoiceOrder.DATE: ("by_date", "by_date_down"),
    InvoiceOrder.AMOUNT: ("by_amount", "by_amount_down"),
    InvoiceOrder.ACCOUNT: ("by_account", "by_account_down"),
    InvoiceOrder.KEY: ("by_key", "by_key_down"),
}
"""The statement of each order, upwards and downwards."""


@dataclass(frozen=True)
class InvoiceFilter:
    """Which invoices are wanted; None: any.

    `least` and `most`: amounts in major units. `text`: a part of an account's id or name, the beginning of a key, an id
    or number of Stripe's (of a refund or dispute, too), or an instance that the invoice bills or billed.
    """

    period: str | None = None
    attribution_id: str | None = None
    states: tuple[InvoiceState, ...] | None = None
    currency: str | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    text: str | None = None


@dataclass(frozen=True)
class InvoicePlace:
    """Where a page begins: after the last invoice of the page before."""

    id: int
    text: str
    amount: int


@dataclass(frozen=True)
class InvoiceRow:
    """An invoice in a list. Amounts are in minor units.

    `edited`: what an accepted edit in Stripe changes. `net`: with it, without credits, and zero if it is dead.
    """

    id: int
    key: str
    attribution_id: str
    account_name: str | None
    billing_period: str
    reason: InvoiceReason
    state: InvoiceState
    currency: str
    amount: int
    edited: int
    credited: int
    net: int
    stripe_invoice_id: str | None
    claimed_at: datetime
    finalized_at: datetime | None
    paid_at: datetime | None
    blocked_reason: str | None
    blocked_since: datetime | None
    awaits_approval: bool

    def place(self, order: InvoiceOrder) -> InvoicePlace:
        """Return where the page after this invoice begins."""
        text = {InvoiceOrder.KEY: self.key, InvoiceOrder.ACCOUNT: self.attribution_id}.get(order, self.currency)
        return InvoicePlace(self.id, text, self.amount)


@dataclass(frozen=True)
class InvoiceTotal:
    """The totals of a filter's invoices in one currency, in minor units. Dead invoices are counted, at nothing."""

    currency: str
    invoices: int
    amount: int
    edited: int
    credited: int

    @property
    def net(self) -> int:
        """What is left after edits in Stripe and credits."""
        return self.amount + self.edited - self.credited


async def browse_invoices(
    db: Database,
    wanted: InvoiceFilter,
    order: InvoiceOrder = InvoiceOrder.DATE,
    *,
    down: bool = True,
    after: InvoicePlace | None = None,
    limit: int,
) -> list[InvoiceRow]:
    """Return up to `limit` invoices after a place, in this order; `down`: the largest or latest first."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        given = await _given(connection, wanted, after, limit)
        rows = await connection.execute(_page(order, down=down), given)
        return [record(InvoiceRow, row) for row in rows]


async def every_invoice(
    db: Database, wanted: InvoiceFilter, order: InvoiceOrder = InvoiceOrder.DATE, *, down: bool = True
) -> AsyncIterator[InvoiceRow]:
    """Yield every invoice of a filter. Memory does not grow with their number."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        given = await _given(connection, wanted, None, None)
        async for row in await connection.stream(_page(order, down=down), given):
            yield record(InvoiceRow, row)


async def invoice_totals(db: Database, wanted: InvoiceFilter) -> list[InvoiceTotal]:
    """Return the totals of every invoice of a filter, by currency."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.execute(statement("browsing/invoices", "totals"), await _filter(connection, wanted))
        return [record(InvoiceTotal, row) for row in rows]


def _page(order: InvoiceOrder, *, down: bool) -> Any:
    return statement("browsing/invoices", _PAGES[order][down])


async def _filter(connection: AsyncConnection, wanted: InvoiceFilter) -> dict[str, Any]:
    return {
        "period": wanted.period,
        "attribution_id": wanted.attribution_id,
        "states": None if wanted.states is None else [str(state) for state in wanted.states],
        "currency": wanted.currency,
        "least": wanted.least,
        "most": wanted.most,
        "exponents": json.dumps(exponents()),
        **(await _named(connection, wanted.text)),
    }


async def _named(connection: AsyncConnection, text: str | None) -> dict[str, Any]:
    """Return the invoices of a text by their ids, or the text itself if they are many."""
    if text is None:
        return {"ids": None, "part": None, "beyond": None}
    given = {"part": text, "beyond": text + _BEYOND}
    found = await connection.execute(statement("browsing/invoices", "named"), {**given, "most": _FEW + 1})
    ids = list(found.scalars())
    return {**given, "ids": None} if len(ids) > _FEW else {"ids": sorted(set(ids)), "part": None, "beyond": None}


async def _given(
    connection: AsyncConnection, wanted: InvoiceFilter, after: InvoicePlace | None, limit: int | None
) -> dict[str, Any]:
    place = {
        "from_id": after and after.id,
        "from_text": after and after.text,
        "from_amount": after and after.amount,
    }
    return {**(await _filter(connection, wanted)), **place, "limit": limit}
