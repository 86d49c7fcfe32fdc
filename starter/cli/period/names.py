"""Accounts' names in rows of JSON, by the account's id or by the key that a row has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.errors import InputError
from billing.invoice.key import CreditNoteKey, InvoiceKey
from storage.lookup.naming import names_of
from storage.postgres.database import Database


async def with_names(db: Database, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with `attribution_id` and `account_name`; a name that is not known is null."""
    accounts = [_account_of(row) for row in rows]
    names = await names_of(db, {account for account in accounts if account})
    return [
        {**row, "attribution_id": account, "account_name": names.get(account or "")}
        for row, account in zip(rows, accounts, strict=True)
    ]


def subject(row: Mapping[str, Any]) -> str:
    """Return the row's key with its account's name, for people: `2022-05/acme/period (Aurora GmbH)`."""
    name = row.get("account_name")
    return f"{row['key']} ({name})" if name else str(row["key"])


def _account_of(row: Mapping[str, Any]) -> str | None:
    if "attribution_id" in row:
        found: str | None = row["attribution_id"]
        return found
    key = str(row.get("key") or row.get("invoice_key"))
    try:
        return (CreditNoteKey.parse(key).invoice if "/credit/" in key else InvoiceKey.parse(key)).attribution_id
    except InputError:
        return key  # an account that could not be billed
