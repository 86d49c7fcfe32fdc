"""What happens to a credit note after its request: issued, blocked, resumed, withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import InputError, MismatchError, PermanentError
from billing.invoice.credit_notes import PENDING, CreditNoteState, check_left
from storage.invoices.credit_notes import left_of, lines_left_of, load_in
from storage.invoices.locked import find_locked
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


class UnknownCreditNoteError(PermanentError):
    """Postgres does not know this credit note."""


@dataclass(frozen=True)
class LockedCreditNote:
    """A credit note's row, locked until the transaction ends."""

    state: CreditNoteState
    stripe_credit_note_id: str | None


async def record_issued(
    db: Database, key: str, stripe_credit_note_id: str, at: datetime, total: int | None = None
) -> None:
    """Record that Stripe has issued the credit note. Idempotent; a credit note that was voided since stays voided.

    `total`: with tax, in minor units.

    Raises:
        UnknownCreditNoteError: there is no such credit note.
        MismatchError: it has another id in Stripe already, or this id belongs to another credit note.
    """
    try:
        async with db.transaction() as connection:
            note = await _lock(connection, key)
            if note.stripe_credit_note_id not in (None, stripe_credit_note_id):
                raise MismatchError(f"{key} is {note.stripe_credit_note_id} in Stripe, not {stripe_credit_note_id}")
            if note.state in PENDING:
                issued = {"key": key, "stripe_credit_note_id": stripe_credit_note_id, "at": at, "total": total}
                await connection.execute(statement("invoices/credit_notes", "set_issued"), issued)
    except IntegrityError as error:
        raise MismatchError(f"{stripe_credit_note_id} belongs to another credit note, not to {key}") from error


async def block_credit_note(db: Database, key: str, reason: str) -> None:
    """Block a credit note: it waits for an operator. An issued or voided credit note is left as it is.

    Raises:
        UnknownCreditNoteError: there is no such credit note.
    """
    async with db.transaction() as connection:
        note = await _lock(connection, key)
        if note.state in PENDING:
            await connection.execute(statement("invoices/credit_notes", "set_blocked"), {"key": key, "reason": reason})


async def resume_credit_note(db: Database, key: str) -> None:
    """Resume a blocked credit note, under new idempotency keys. Any other is left as it is.

    It stays blocked if too little is left of its invoice or of a line, as credits since its refusal count and it did
    not.
    """
    async with db.transaction() as connection:
        reason = await _refusal(connection, key)
        await connection.execute(statement("invoices/credit_notes", "resume"), {"key": key, "reason": reason})


async def check_resumable(db: Database, key: str) -> None:
    """Check that a blocked credit note can be resumed.

    Raises:
        InputError: too little is left of what it credits.
    """
    async with db.transaction(read_only=True) as connection:
        reason = await _refusal(connection, key, lock=False)
        if reason is not None:
            raise InputError(reason)


async def requested_before(db: Database, key: str) -> str | None:
    """Return the credit note that must reach Stripe before this one, which takes all that is left. None if none."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("invoices/credit_notes", "requested_before"), {"key": key})
        return found.scalar_one_or_none()


async def withdraw_credit_note(db: Database, key: str) -> None:
    """Give up a blocked credit note, which Stripe does not have. Any other is left as it is."""
    async with db.transaction() as connection:
        await connection.execute(statement("invoices/credit_notes", "withdraw"), {"key": key})


async def _refusal(connection: AsyncConnection, key: str, *, lock: bool = True) -> str | None:
    """Return why a blocked credit note cannot be resumed. None if it can."""
    note = await load_in(connection, key)
    if note is None or note.state is not CreditNoteState.BLOCKED:
        return None
    invoice = await find_locked(connection, note.invoice_key, lock=lock)
    assert invoice is not None  # guaranteed by a foreign key
    lines = await lines_left_of(connection, note.invoice_id)
    wanted = [(note.amount, await left_of(connection, note.invoice_id, invoice.amount), f"invoice {note.invoice_key}")]
    wanted += [(part, lines[no], f"line {no} of invoice {note.invoice_key}") for no, part in note.parts.items()]
    try:
        for amount, left, what in wanted:
            check_left(amount, left, note.currency, what)
    except InputError as error:
        return f"{error}: withdraw it, and credit what is left"
    return None


async def _lock(connection: AsyncConnection, key: str) -> LockedCreditNote:
    row = (await connection.execute(statement("invoices/credit_notes", "lock"), {"key": key})).one_or_none()
    if row is None:
        raise UnknownCreditNoteError(f"no credit note {key} in this database")
    return record(LockedCreditNote, row)
