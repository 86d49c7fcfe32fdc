"""Tokens of the API, and of people in the console. Only a token's hash is stored: it is shown once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

PREFIX = "pdr_"
"""Every token begins with this, so that scanners for leaked secrets recognise one."""
_BYTES = 32


class TokenScope(StrEnum):
    """What a token allows."""

    INGEST = "ingest"
    """Sending events and rows."""
    OPERATE = "operate"
    """Correcting what is known, too."""
    ACCOUNTS = "accounts"
    """Sending details of customers, and nothing else: who gets the invoices is no matter of usage."""
    VIEW = "view"
    """Reading the console."""
    ACT = "act"
    """Acting in the console, too."""


@dataclass(frozen=True)
class ApiToken:
    """A token as it is listed, without its secret."""

    name: str
    scope: TokenScope
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class ValidToken:
    """A token that was not revoked, with its hash; `expires_at` may have passed."""

    name: str
    hash: bytes
    scope: TokenScope
    expires_at: datetime | None


def make_secret() -> str:
    """Return a new token: the prefix and 32 random bytes in base64url."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_secret(secret: str) -> bytes:
    """Return the hash by which a token is found. The token is random: it needs neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode()).digest()


async def add_token(
    db: Database, name: str, secret: str, scope: TokenScope, *, by: str, expires_at: datetime | None
) -> bool:
    """Add a token. Returns False if there is, or was, another one of this name."""
    given = {"name": name, "hash": hash_secret(secret), "scope": scope, "created_by": by, "expires_at": expires_at}
    async with db.transaction() as connection:
        return (await connection.execute(statement("arrivals/tokens", "add"), given)).rowcount == 1


async def list_tokens(db: Database) -> list[ApiToken]:
    """Return all tokens, by name."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("arrivals/tokens", "list"))
        return [record(ApiToken, row) for row in rows]


async def valid_tokens(db: Database) -> list[ValidToken]:
    """Return the tokens that were not revoked."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("arrivals/tokens", "valid"))
        return [record(ValidToken, row) for row in rows]


async def find_token(db: Database, secret_hash: bytes) -> ValidToken | None:
    """Return the token with this hash. None if there is none, or it was revoked; its expiry may have passed."""
    async with db.transaction(read_only=True) as connection:
        row = (await connection.execute(statement("arrivals/tokens", "find"), {"hash": secret_hash})).one_or_none()
        return None if row is None else record(ValidToken, row)


async def revoke_token(db: Database, name: str) -> datetime | None:
    """Revoke a token for good. Returns since when it is revoked, or None if there is none of this name."""
    async with db.transaction() as connection:
        revoked: datetime | None = (
            await connection.execute(statement("arrivals/tokens", "revoke"), {"name": name})
        ).scalar()
        return revoked
