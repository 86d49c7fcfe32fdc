"""Credit notes in Postgres: requests, written under their invoice's lock, and what happened to them in Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.decided import HERE, DecidedFrom
from billing.errors import InputError
from billing.invoice.credit_notes import (
    CreditDestination,
    CreditKind,
    CreditNoteState,
    CreditOrder,
    LineShare,
    check_creditable,
    check_left,
    creditable,
    instance_parts,
    spread,
)
from billing.invoice.key import CreditNoteKey, InvoiceKey
from storage.decisions.trail import DecisionKind, record_decision
from storage.invoices.locked import LockedInvoice, find_locked
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class CreditNoteRecord:
    """A credit note. `amount` in minor units, before discounts and tax; `parts`: its share by line, if it has lines.

    `total`: what Stripe gave back, less discounts and with tax; None until Stripe has said so.
    """

    id: int
    key: str
    invoice_key: str
    invoice_id: int
    kind: CreditKind
    line_no: int | None
    instance_id: str | None
    amount: int
    total: int | None
    currency: str
    settle_to: CreditDestination
    reason: str
    state: CreditNoteState
    blocked_reason: str | None
    stripe_credit_note_id: str | None
    stripe_invoice_id: str | None
    generation: int
    requested_at: datetime
    issued_at: datetime | None
    voided_at: datetime | None
    parts: dict[int, int]
    attribution_id: str = ""
    account_name: str | None = None


@dataclass(frozen=True)
class PricedCredit:
    """What a request for a credit note would credit. `left`: of the invoice before it, both in minor units.

    `known`: the credit note, if the same was requested before.
    """

    amount: int
    left: int
    parts: dict[int, int]
    known: CreditNoteRecord | None = None


async def preview_credit(db: Database, invoice_key: str, order: CreditOrder) -> PricedCredit:
    """Return what `request_credit` would record now; record nothing.

    Raises:
        InputError: as `request_credit`.
    """
    async with db.transaction(read_only=True) as connection:
        _, _, priced = await _price(connection, invoice_key, order, lock=False)
        return priced


async def request_credit(
    db: Database, invoice_key: str, order: CreditOrder, by: str | None = None, place: DecidedFrom = HERE
) -> tuple[CreditNoteRecord, bool]:
    """Record a request for a credit note. Returns it, and whether it is new: the same request twice is one.

    The invoice is locked, so that concurrent requests see each other: live credits never exceed the invoice, nor do
    those of a line exceed the line.

    Raises:
        InputError: the invoice is unknown or cannot be credited, nothing or too little is left, or the reference
            names a different request.
    """
    async with db.transaction() as connection:
        invoice, key, priced = await _price(connection, invoice_key, order)
        if priced.known is not None:
            return priced.known, False
        await insert_credit_note(connection, key, invoice, order, priced.amount, priced.parts)
        if by is not None:
            await record_decision(connection, DecisionKind.CREDIT, key, by=by, reason=order.reason, place=place)
        made = await load_in(connection, key)
        assert made is not None
        return made, True


async def _price(
    connection: AsyncConnection, invoice_key: str, order: CreditOrder, *, lock: bool = True
) -> tuple[LockedInvoice, str, PricedCredit]:
    """Lock the invoice, unless it is only a preview. Returns it, the credit note's key, and what it credits."""
    invoice = await find_locked(connection, invoice_key, lock=lock)
    if invoice is None:
        raise InputError(f"there is no invoice {invoice_key!r}: `perdure invoices list` shows their keys")
    key = str(CreditNoteKey(InvoiceKey.parse(invoice_key), order.named()))
    left = await left_of(connection, invoice.id, invoice.amount)
    known = await load_in(connection, key)
    if known is not None:
        _check_same(known, order)
        return invoice, key, PricedCredit(known.amount, left, known.parts, known)
    check_creditable(invoice_key, invoice.state)
    amount, parts = await _parts(connection, invoice, invoice_key, order)
    check_left(amount, left, invoice.currency, f"invoice {invoice_key}")
    return invoice, key, PricedCredit(amount, left, parts)


async def insert_credit_note(
    connection: AsyncConnection,
    key: str,
    invoice: LockedInvoice,
    order: CreditOrder,
    amount: int,
    parts: dict[int, int],
    *,
    correction_id: int | None = None,
) -> None:
    """Write a requested credit note with its parts by line, under the invoice's lock."""
    given = {"key": key, "invoice_id": invoice.id, "amount": amount, "currency": invoice.currency}
    given |= {"kind": str(order.kind), "line_no": order.line_no, "instance_id": order.instance_id}
    given |= {"settle_to": str(order.settle_to), "reason": order.reason, "correction_id": correction_id}
    inserted = await connection.execute(statement("invoices/credit_notes", "insert"), given)
    await connection.execute(
        statement("invoices/credit_notes", "insert_lines"),
        {"id": inserted.scalar_one(), "line_nos": list(parts), "amounts": list(parts.values())},
    )


async def load_credit_note(db: Database, key: str) -> CreditNoteRecord | None:
    """Return the credit note with this key. None if there is none."""
    async with db.transaction() as connection:
        return await load_in(connection, key)


async def credit_notes_of(db: Database, invoice_ids: Sequence[int]) -> dict[int, list[CreditNoteRecord]]:
    """Return all credit notes of these invoices, oldest first, by invoice id."""
    found: dict[int, list[CreditNoteRecord]] = {}
    async with db.transaction() as connection:
        rows = await connection.execute(statement("invoices/credit_notes", "of_invoices"), {"ids": list(invoice_ids)})
        for row in rows:
            found.setdefault(row.invoice_id, []).append(credit_note_record(row))
    return found


async def list_credit_notes(
    db: Database, *, period: str | None, state: CreditNoteState | None, after: int, limit: int
) -> list[CreditNoteRecord]:
    """Return up to `limit` credit notes in the order of their requests, from the one after the id `after`.

    Args:
        db: the database.
        period: only those of invoices of this period; None: of all.
        state: only those in this state; None: in any.
        after: the id of the last one of the page before; 0 for the first page.
        limit: at most so many.
    """
    wanted = {"period": period, "state": None if state is None else str(state), "after": after, "limit": limit}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("invoices/credit_notes", "list"), wanted)
        return [credit_note_record(row) for row in rows]


async def credited_of_period(db: Database, period: str) -> dict[str, int]:
    """Return the total of the issued credit notes of a period's live invoices, by currency in minor units."""
    async with db.transaction() as connection:
        rows = await connection.execute(statement("invoices/credit_notes", "credited"), {"period": period})
        return {row.currency: row.amount for row in rows}


async def blocked_of_period(db: Database, period: str) -> list[CreditNoteRecord]:
    """Return up to 100 credit notes of a period's invoices that wait for an operator."""
    async with db.transaction() as connection:
        rows = await connection.execute(statement("invoices/credit_notes", "blocked"), {"period": period})
        return [credit_note_record(row) for row in rows]


async def _parts(
    connection: AsyncConnection, invoice: LockedInvoice, invoice_key: str, order: CreditOrder
) -> tuple[int, dict[int, int]]:
    """Return the amount to credit, and its share by line."""
    of_invoice = {"invoice_id": invoice.id}
    left = await lines_left_of(connection, invoice.id)
    if order.kind is CreditKind.AMOUNT:
        assert order.amount is not None
        return order.amount, spread(order.amount, left, invoice.currency)
    if order.kind is CreditKind.LINE:
        assert order.line_no is not None
        if order.line_no not in left:
            raise InputError(f"invoice {invoice_key} has no line {order.line_no}: it has {len(left)}")
        what, parts = f"line {order.line_no}", {order.line_no: creditable(left[order.line_no], invoice.currency)}
    else:
        of_instance = {**of_invoice, "instance_id": order.instance_id}
        rows = await connection.execute(statement("invoices/credit_notes", "shares"), of_instance)
        shares = [record(LineShare, row) for row in rows]
        if not shares:
            raise InputError(f"instance {order.instance_id} is not on invoice {invoice_key}: see `perdure explain`")
        rows = await connection.execute(statement("invoices/credit_notes", "credited_of_instance"), of_instance)
        credited = {row.line_no: row.amount for row in rows}
        what = f"the share of instance {order.instance_id}"
        parts = instance_parts(shares, invoice.currency, credited=credited, left=left)
    amount = sum(parts.values())
    check_left(amount, amount, invoice.currency, f"{what} of invoice {invoice_key}")
    return amount, parts


async def left_of(connection: AsyncConnection, invoice_id: int, amount: int) -> int:
    """Return what the live credits leave of an invoice of this amount."""
    live = await connection.execute(statement("invoices/credit_notes", "live_total"), {"invoice_id": invoice_id})
    return amount - int(live.scalar_one())


async def lines_left_of(connection: AsyncConnection, invoice_id: int) -> dict[int, int]:
    """Return what the live credits leave of each line of an invoice."""
    rows = await connection.execute(statement("invoices/credit_notes", "lines_left"), {"invoice_id": invoice_id})
    return {row.line_no: row.left for row in rows}


def _check_same(known: CreditNoteRecord, order: CreditOrder) -> None:
    asked = (order.kind, order.line_no, order.instance_id, order.settle_to, order.reason)
    same = asked == (known.kind, known.line_no, known.instance_id, known.settle_to, known.reason)
    if not same or (order.kind is CreditKind.AMOUNT and order.amount != known.amount):
        raise InputError(
            f"{known.key} is another credit note already (see `perdure invoices show`): choose a new --reference"
        )


async def load_in(connection: AsyncConnection, key: str) -> CreditNoteRecord | None:
    """Return the credit note with this key, within a transaction. None if there is none."""
    row = (await connection.execute(statement("invoices/credit_notes", "load"), {"key": key})).one_or_none()
    return None if row is None else credit_note_record(row)


def credit_note_record(row: Row[Any]) -> CreditNoteRecord:
    """Return a row of the columns `{columns}` as a credit note."""
    parts = dict(zip(row.line_nos or (), row.line_amounts or (), strict=True))
    return record(CreditNoteRecord, row, parts=parts)
