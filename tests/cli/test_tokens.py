"""Tokens for the API, by the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from storage.arrivals.tokens import TokenScope, hash_secret, valid_tokens
from storage.postgres.database import Database
from storage.postgres.roles import OPERATOR
from tests.cli.conftest import Perdure
from tests.storage.usage import fetch
from tests.support.roles import as_role


@pytest.fixture
def perdure(perdure: Perdure, database_url: str) -> Perdure:
    perdure.settings["DATABASE_URL"] = as_role(database_url, OPERATOR)
    return perdure


async def test_a_token_is_shown_once_and_only_its_hash_is_stored(perdure: Perdure, db: Database) -> None:
    made = await perdure("tokens", "create", "product", "--scope", "ingest", "--by", "ann")
    secret = made.out.strip()
    assert (made.status, len(secret), secret[:4]) == (0, 47, "pdr_")
    assert "only time" in made.err
    stored = (await valid_tokens(db))[0]
    assert (stored.name, stored.hash, stored.scope) == ("product", hash_secret(secret), TokenScope.INGEST)
    assert secret not in str(await fetch(db, "SELECT * FROM api_token"))
    listed = await perdure("tokens", "list")
    assert "product" in listed.out
    assert secret not in listed.out


async def test_json_expiry_and_revocation(perdure: Perdure, db: Database) -> None:
    made = (await perdure("tokens", "create", "crm", "--scope", "operate", "--expires", "90d", "--json")).document
    assert made["token"].startswith("pdr_")
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert (await perdure("tokens", "revoke", "crm")).status == 0
    first = json.loads((await perdure("tokens", "list", "--json")).out)
    assert (await perdure("tokens", "revoke", "crm")).status == 0
    listed = json.loads((await perdure("tokens", "list", "--json")).out)
    assert listed == first
    assert [(each["name"], each["scope"]) for each in listed] == [("crm", "operate")]
    assert listed[0]["revoked_at"] is not None
    assert await valid_tokens(db) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "No Name", "--scope", "ingest"), "'No Name' is not a name"),
        (("create", "a", "--scope", "ingest", "--expires", "soon"), "--expires: 'soon' is not a length of time"),
        (("create", "again", "--scope", "ingest"), "there is a token again already"),
        (("revoke", "nobody"), "there is no token nobody: `perdure tokens list` lists them"),
    ],
)
async def test_bad_input_is_one_line(perdure: Perdure, arguments: tuple[str, ...], said: str) -> None:
    await perdure("tokens", "create", "again", "--scope", "ingest")
    ran = await perdure("tokens", *arguments)
    assert ran.status == 2
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1
