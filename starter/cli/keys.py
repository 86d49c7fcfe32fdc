"""`perdure keys`: the keys that encrypt payloads in Temporal."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated

import typer

from starter.cli import common, output
from temporal.payload_codec import generate_key, make_codec

app = typer.Typer(help="Payload encryption keys: generate, list.", no_args_is_help=True)


@app.command("generate")
@common.command
async def generate(
    key_id: Annotated[str, typer.Option("--id", help="The key's name, which is not secret; default: by date.")] = "",
) -> None:
    """Generate a key and print it in the form that PAYLOAD_KEYS needs.

    The key is not stored anywhere.
    """
    name = key_id or f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(2)}"
    output.say(generate_key(name))


@app.command("list")
@common.command
async def list_keys(as_json: common.AsJson = False) -> None:
    """List the ids of this process's keys, and which key encrypts.

    With --json, also whether unencrypted payloads can be read.
    """
    settings = common.settings()
    codec = make_codec(settings)
    ids = codec.key_ids if codec else []
    if as_json:
        keys = [{"id": key_id, "encrypts": number == 0} for number, key_id in enumerate(ids)]
        output.print_json({"keys": keys, "plaintext": settings.payload_plaintext})
        return
    for number, key_id in enumerate(ids):
        output.say(f"{key_id}  {'encrypts and decrypts' if number == 0 else 'decrypts'}")
    if not ids:
        output.say("PAYLOAD_KEYS is not set: nothing is encrypted.")
