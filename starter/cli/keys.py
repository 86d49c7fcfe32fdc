"""`perdure keys`: keys for the encryption of what Temporal keeps, and `perdure codec-server`, which shows it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated

import typer

from starter.cli import common
from starter.cli.processes.http import serve_http


def register(app: typer.Typer) -> None:
    """Add the codec server's command to the command line."""
    app.command("codec-server")(codec_server)


app = typer.Typer(help="Keys that encrypt what Temporal keeps.", no_args_is_help=True)


@app.command("generate")
@common.command
async def generate(
    key_id: Annotated[str, typer.Option("--id", help="The key's name, which is no secret; default: by the date.")] = "",
) -> None:
    """Make a new key and print it, as PAYLOAD_KEYS takes it. It is stored nowhere."""
    from temporal.payload_codec import generate_key

    name = key_id or f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(2)}"
    common.out.print(generate_key(name), markup=False)


@app.command("list")
@common.command
async def list_keys(as_json: common.AsJson = False) -> None:
    """Show the ids of this process's keys, which one encrypts, and whether plain payloads are read."""
    from temporal.payload_codec import make_codec

    settings = common.settings()
    codec = make_codec(settings)
    ids = codec.key_ids if codec else []
    if as_json:
        keys = [{"id": key_id, "encrypts": number == 0} for number, key_id in enumerate(ids)]
        common.print_json({"keys": keys, "plaintext": settings.payload_plaintext})
        return
    for number, key_id in enumerate(ids):
        common.out.print(f"{key_id}  {'encrypts and decrypts' if number == 0 else 'decrypts'}", markup=False)
    if not ids:
        common.out.print("PAYLOAD_KEYS is not set: nothing is encrypted.")


@common.command
async def codec_server() -> None:
    """Show encrypted payloads in the Temporal UI and to the `temporal` command, until SIGTERM. Needs PAYLOAD_KEYS."""
    from starter.codec_server import make_codec_server

    settings = common.settings()
    common.log_to_stderr(settings.log_level)
    application = make_codec_server(settings).application()
    async with serve_http(application, settings.codec_server_host, settings.codec_server_port, "CODEC_SERVER_PORT"):
        common.err.print(f"codec server: listening on http://{settings.codec_server_host}:{settings.codec_server_port}")
        await common.until_stopped()
