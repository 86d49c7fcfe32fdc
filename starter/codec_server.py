"""The codec server: makes encrypted payloads readable in the Temporal UI and in the `temporal` command.

It decrypts (POST `.../decode`) and encrypts (POST `.../encode`) the payloads in a request, as JSON of Temporal's
`Payloads` message; it talks neither to Temporal nor to the database. Protocol: https://docs.temporal.io/codec-server.

A client that is allowed to ask can read everything. Therefore a client must present the token, if one is set; without
a token, the server listens on this machine only. It answers only pages of the Temporal UI's origins, so that no other
page that a person visits can ask through their browser: a browser sends the page's origin with every such request, and
a page cannot forge it.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Sequence

from aiohttp import web
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads

from settings import Settings, SettingsError
from temporal.payload_codec import EncryptionCodec, PayloadKeyError, parse_keys

logger = logging.getLogger("perdure.codec")

MOST_BYTES = 16 * 1024 * 1024
"""Size limit of one request. The UI sends the payloads of a page of history together; each has at most 2 MB."""
_BODY_SECONDS = 10.0
_HEADERS = "authorization, authorization-extras, content-type, x-namespace"
_PREFLIGHT_SECONDS = "600"


class CodecServer:
    """The handlers of the aiohttp application, around one codec."""

    def __init__(self, codec: EncryptionCodec, origins: Sequence[str], token: str | None = None) -> None:
        """Pages of `origins` are allowed to ask. If `token` is set, every client must present it as bearer token."""
        self._codec = codec
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        self._token = token

    def application(self) -> web.Application:
        """Return the application: `/decode` and `/encode` under any path, and `/healthz`."""
        app = web.Application(client_max_size=MOST_BYTES, handler_args={"auto_decompress": False})
        app.router.add_get("/healthz", self.healthz)
        for prefix in ("", "/{prefix:.+}"):
            for verb in ("decode", "encode"):
                app.router.add_post(f"{prefix}/{verb}", self.answer)
                app.router.add_options(f"{prefix}/{verb}", self.preflight)
        return app

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def preflight(self, request: web.Request) -> web.Response:
        """Answer a browser's question what a page of this origin is allowed to send."""
        headers = self._cors(request)
        if headers is None:
            return _refusal(403, "this origin is not allowed: add it to CODEC_SERVER_ORIGINS", {})
        headers |= {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=headers)

    async def answer(self, request: web.Request) -> web.Response:
        """Decrypt or encrypt the payloads of one request."""
        headers = self._cors(request)
        if headers is None:
            return _refusal(403, "this origin is not allowed: add it to CODEC_SERVER_ORIGINS", {})
        if not self._may(request):
            return _refusal(401, "a bearer token is needed", {**headers, "WWW-Authenticate": "Bearer"})
        if request.content_type != "application/json":
            return _refusal(415, "send application/json", headers)
        try:
            payloads = json_format.Parse(await asyncio.wait_for(request.read(), _BODY_SECONDS), Payloads()).payloads
        except TimeoutError:
            return _refusal(408, "too slow", headers)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, "too large", headers)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError, ValueError):
            # Without the error's text, which quotes the request.
            return _refusal(400, "the body is not JSON of Payloads", headers)
        if request.path.endswith("/encode"):
            result = await self._codec.encode(payloads)
        else:
            result = [await self._open(payload) for payload in payloads]
        # Never log a namespace: its name comes from the client.
        logger.info("%s: %d payloads", request.path.rpartition("/")[2], len(result))
        body = json_format.MessageToJson(Payloads(payloads=result), indent=None)
        return web.Response(
            text=body, content_type="application/json", headers={**headers, "Cache-Control": "no-store"}
        )

    async def _open(self, payload: Payload) -> Payload:
        """Decrypt one payload, or return it unchanged if that fails, so that the others are still shown."""
        try:
            return (await self._codec.decode([payload]))[0]
        except PayloadKeyError as error:
            logger.warning("%s", error)
            return payload

    def _may(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(errors="replace"), f"Bearer {self._token}".encode())

    def _cors(self, request: web.Request) -> dict[str, str] | None:
        """Return the headers that let a page read the answer, or None if its origin is refused. A program has none."""
        origins = request.headers.getall("Origin", [])
        if not origins:
            return {}
        if len(origins) > 1 or origins[0] not in self._origins:
            return None
        return {
            "Access-Control-Allow-Origin": origins[0],
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }


def _refusal(status: int, text: str, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)


def make_codec_server(settings: Settings) -> CodecServer:
    """Return the codec server for these settings. It shows plaintext payloads whatever PAYLOAD_PLAINTEXT is.

    Raises:
        SettingsError: there are no keys, or the server would be open to other machines without a token.
    """
    keys = parse_keys(settings.need("payload_keys"))
    token = settings.codec_server_token.get_secret_value() if settings.codec_server_token else None
    if token is None and not _is_loopback(settings.codec_server_host):
        raise SettingsError(
            f"CODEC_SERVER_HOST={settings.codec_server_host} is open to other machines, and anyone who reaches the "
            "codec server can read everything: set CODEC_SERVER_TOKEN, or listen on 127.0.0.1"
        )
    return CodecServer(EncryptionCodec(keys), settings.codec_server_origins, token)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
