"""Whatever a person calls an invoice, an account or a credit note: to its key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from storage.postgres.database import Database
from storage.postgres.statements import statement

_NEAR = 5
_ALIKE = 0.6
_SHOWN = 80
_PAYMENTS = ("ch_", "pi_", "py_")


async def invoice_key(db: Database, text: str, *, parts: bool = False) -> str:
    """Return the key of the invoice that a person names by its key, or by Stripe's id or number.

    Args:
        db: the database.
        text: what the person wrote.
        parts: whether a credit note, a refund or a dispute names its invoice, too. Not where something is decided: it
            may be the part that is meant.

    Raises:
        InputError: there is no such invoice, or there are several; the message names the nearest.
    """
    found = await _rows(db, "invoice", text)
    keys = list(dict.fromkeys(key for key, _ in found))
    if len(keys) > 1:
        raise InputError(f"{_quoted(text)} names several invoices: {', '.join(keys)}")
    if not keys:
        raise InputError(await _no_invoice(db, text))
    by = found[0][1]
    if by in ("payment", "credit note") and not parts:
        what = "a credit note" if by == "credit note" else "a refund or dispute"
        raise InputError(f"{_quoted(text)} is {what} of the invoice {keys[0]}: name the invoice itself")
    return keys[0]


async def account_id(db: Database, text: str) -> str:
    """Return the id of the account that a person names by its id, customer, subscription or whole name.

    Raises:
        InputError: there is no such account, or there are several; the message names the nearest.
    """
    found = [row[0] for row in await _rows(db, "account", text)]
    if len(found) > 1:
        raise InputError(f"{_quoted(text)} is the name of several accounts: {', '.join(found)}; write the id")
    if not found:
        near = _nearest(text, [row[0] for row in await _rows(db, "near_accounts", text, limit=_NEAR)])
        raise InputError(
            f"there is no account {_short(text)}{near}: `perdure accounts list --search TEXT` finds accounts, "
            "`perdure accounts import` and `accounts sync` create them"
        )
    return found[0]


async def payer_id(db: Database, text: str) -> str:
    """Return the id of the account as `account_id` does, or the text if it is the id of an account yet unknown.

    Usage can name an account that does not exist.

    Raises:
        InputError: the text is no attribution id, or the name of several accounts.
    """
    found = [row[0] for row in await _rows(db, "account", text)]
    return await account_id(db, text) if found else parse_attribution_id(text)


async def credit_note_key(db: Database, text: str) -> str:
    """Return the key of the credit note that a person names by its key or Stripe's id.

    Raises:
        InputError: there is no such credit note.
    """
    found = await _rows(db, "credit_note", text)
    if not found:
        raise InputError(f"there is no credit note {_quoted(text)}: `perdure credits list` shows their keys")
    return str(found[0][0])


async def decision_subject(db: Database, text: str) -> str:
    """Return the key of the invoice or credit note, or the account's id, that a person names; else the text itself.

    Decisions are also about periods, schedules and warnings.
    """
    for name in ("credit_note", "invoice", "account"):
        found = await _rows(db, name, text)
        if len({row[0] for row in found}) == 1:
            return str(found[0][0])
    return text


async def names_of(db: Database, accounts: Collection[str]) -> dict[str, str]:
    """Return the names of those of these accounts that have one, by attribution id."""
    if not accounts:
        return {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("lookup/finding", "names"), {"accounts": sorted(accounts)})
        return {row.attribution_id: row.name for row in rows}


async def stripe_ids_of(db: Database, keys: Collection[str]) -> dict[str, str]:
    """Return the ids in Stripe of those of these invoices that have one, by key."""
    if not keys:
        return {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("lookup/finding", "stripe_ids"), {"keys": sorted(keys)})
        return {row.key: row.stripe_invoice_id for row in rows}


async def _no_invoice(db: Database, text: str) -> str:
    """Say that there is no such invoice, and what may be meant."""
    if text.startswith(_PAYMENTS):
        return f"{_quoted(text)} is a payment, which Perdure does not store: name its invoice, refund or dispute"
    account = await _rows(db, "account", text)
    if len(account) == 1:
        whose = str(account[0][0])
        keys = [row[0] for row in await _rows(db, "invoices_of", text, attribution_id=whose, limit=1)]
        such = f"such as {keys[0]} (`perdure invoices list --account {whose}` shows all)" if keys else "it has none"
        return f"{_quoted(text)} is the account {whose}, and no invoice: name one of its invoices, {such}"
    whose = text.split("/")[1] if "/" in text else text
    near = _nearest(text, [row[0] for row in await _rows(db, "near_invoices", text, account=whose, limit=_NEAR)])
    return f"there is no invoice {_quoted(text)}{near}: `perdure invoices list` shows their keys"


async def _rows(db: Database, name: str, text: str, **more: object) -> Sequence[Sequence[str]]:
    if "\0" in text:
        return []
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("lookup/finding", name), {"text": text, **more})
        return [tuple(row) for row in found]


def _nearest(text: str, candidates: list[str]) -> str:
    alike = get_close_matches(text, candidates, n=1, cutoff=_ALIKE)
    return f", the nearest is {alike[0]}" if alike else ""


def _quoted(text: str) -> str:
    return repr(text[:_SHOWN])


def _short(text: str) -> str:
    return text[:_SHOWN] if text.isprintable() else _quoted(text)
