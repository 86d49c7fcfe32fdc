"""`perdure tokens`: create, list and revoke tokens: for the API, and for people in the console."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.errors import InputError
from settings import age
from starter.cli import common, output
from starter.cli.database import open_database
from storage.arrivals.tokens import ApiToken, TokenScope, add_token, list_tokens, make_secret, revoke_token

app = typer.Typer(help="Tokens for the API and the console: create, list, revoke.", no_args_is_help=True)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def _state(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= datetime.now(UTC) else "active"


_COLUMNS: Sequence[output.Column[ApiToken]] = (
    output.Column("Name", lambda token: token.name),
    output.Column("Scope", lambda token: token.scope),
    output.state("State", _state),
    output.instant("Expires", lambda token: token.expires_at),
    output.Column("By", lambda token: token.created_by, show="room"),
    output.instant("Created", lambda token: token.created_at),
    output.instant("Revoked", lambda token: token.revoked_at),
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who uses it, such as product, crm or jane.")]


@app.command("create")
@common.command
async def create(
    name: NameArgument,
    scope: Annotated[
        TokenScope,
        typer.Option(
            help="API: ingest: usage; operate: corrections, too; accounts: details of customers. "
            "Console: view: to look; act: to act, too."
        ),
    ],
    expires: Annotated[str | None, typer.Option(metavar="AGE", help="How long it is valid: 12h, 90d.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who creates it; default: the user of this shell.")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Create a token and print it, once: only its hash is stored."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not a name: write a-z, 0-9, dots, hyphens and underscores, at most 63")
    until = _until(expires)
    secret, by = make_secret(), by or getpass.getuser()
    async with open_database(common.settings()) as db:
        if not await add_token(db, name, secret, scope, by=by, expires_at=until):
            raise InputError(f"there is a token {name} already: revoked names are not used again; choose another")
    if as_json:
        output.print_json({"name": name, "scope": scope, "expires_at": output.json_instant(until), "token": secret})
        return
    output.say(secret)
    output.complain(f"This is the only time that the token is shown. Expires: {output.when(until)}.")


@app.command("list")
@common.command
async def list_(
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List all tokens, without their secrets."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        tokens = await list_tokens(db)
    empty = "No tokens: `perdure tokens create NAME --scope ingest` makes one."
    await output.listing(tokens, _COLUMNS, view, empty=empty, document=_document)


@app.command("revoke")
@common.command
async def revoke(name: NameArgument, as_json: common.AsJson = False) -> None:
    """Revoke a token for good.

    The API refuses it within 2 seconds, the console at once.
    """
    async with open_database(common.settings()) as db:
        revoked = await revoke_token(db, name)
    if revoked is None:
        raise InputError(f"there is no token {name}: `perdure tokens list` lists them")
    if as_json:
        output.print_json({"name": name, "revoked_at": output.json_instant(revoked)})
    else:
        output.say(f"Revoked: {name}, since {output.when(revoked)}.")


def _until(expires: str | None) -> datetime | None:
    try:
        return None if expires is None else datetime.now(UTC) + age(expires)
    except (ValueError, OverflowError) as error:
        raise InputError(f"--expires: {error}") from None


def _document(token: ApiToken) -> dict[str, str | None]:
    return {
        "name": token.name,
        "scope": token.scope,
        "created_by": token.created_by,
        "created_at": output.json_instant(token.created_at),
        "expires_at": output.json_instant(token.expires_at),
        "revoked_at": output.json_instant(token.revoked_at),
    }
