"""Search: everything that a text names or begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

_OF_PERIOD = re.compile(r"\d{4}-\d\d/")  # begins a key, and no name of an account
BEYOND = "\U0010ffff"
"""Sorts after every character of an id: what begins with a text is from the text to the text with this."""


class FoundKind(StrEnum):
    """What was found."""

    ACCOUNT = "account"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    INSTANCE = "instance"


@dataclass(frozen=True)
class Found:
    """One thing that a search has found.

    `key`: an attribution id, an invoice key, a credit note key or an instance id. `matched`: the name or the id of
    Stripe's by which it was found; None if it was the key. `state`, `amount` (minor units) and `currency` are an
    invoice's, None for anything else.
    """

    kind: FoundKind
    key: str
    attribution_id: str | None
    account_name: str | None
    matched: str | None
    state: InvoiceState | None
    amount: int | None
    currency: str | None


async def find(db: Database, text: str, limit: int = 20) -> list[Found]:
    """Return what a text names or begins, exact matches first. What it names exactly is not searched for further.

    It finds accounts (by a part of their id or name, by customer or subscription), invoices (by the beginning of their
    key, by Stripe's id or number, by a refund or a dispute), credit notes, and instances (by the beginning of their
    id).
    Names are compared without regard to case.
    """
    wanted = text.strip()
    if not wanted or "\0" in wanted:
        return []
    given = {"text": wanted, "beyond": wanted + BEYOND, "limit": limit}
    async with db.transaction(read_only=True) as connection:
        rows = (await connection.execute(statement("lookup/finding", "find"), {**given, "parts": False})).all()
        if not any(row.rank == 0 for row in rows) and not _OF_PERIOD.match(wanted):
            rows = (await connection.execute(statement("lookup/finding", "find"), {**given, "parts": True})).all()
        return [record(Found, row) for row in rows]
