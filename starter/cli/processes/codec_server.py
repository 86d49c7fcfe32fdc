"""`perdure codec-server`: decrypts payloads for the Temporal UI."""

from __future__ import annotations

import logging

from starter.cli import common
from starter.cli.processes.http import serve_http
from starter.codec_server import make_codec_server

logger = logging.getLogger("perdure.codec")


@common.command
async def codec_server() -> None:
    """Decrypt payloads for the Temporal UI, until SIGTERM.

    The `temporal` command can use it too. Needs PAYLOAD_KEYS.
    """
    settings = common.settings()
    common.log_to_stderr(settings)
    host, port = settings.codec_server_host, settings.codec_server_port
    async with serve_http(make_codec_server(settings).application(), host, port, "CODEC_SERVER_PORT"):
        stopped = common.stop_event()
        logger.info("codec server: listening on http://%s:%s", host, port)
        await stopped.wait()
