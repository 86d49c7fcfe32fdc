"""The codec server decrypts payloads for allowed clients, as the Temporal UI requests them, and for nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web
from google.protobuf import json_format
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads

from settings import SettingsError, load
from starter.codec_server import MOST_BYTES, CodecServer, make_codec_server
from temporal.payload_codec import EncryptionCodec, generate_key

UI = "http://127.0.0.1:8233"
CODEC = EncryptionCodec({"old": b"o" * 32})
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')
JSON = {"Content-Type": "application/json"}


@dataclass
class Asked:
    status: int
    headers: Any
    text: str

    @property
    def payloads(self) -> list[Payload]:
        assert self.status == 200, self.text
        return list(json_format.Parse(self.text, Payloads()).payloads)


class Running:
    """`await running("decode", payloads, Origin=...)`."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url, self._session = url, session

    async def __call__(self, path: str, body: Any, method: str = "POST", **headers: str) -> Asked:
        if isinstance(body, list):
            body = json_format.MessageToJson(Payloads(payloads=body))
        sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self._session.request(method, f"{self._url}/{path}", data=body, headers=sent) as response:
            return Asked(response.status, response.headers, await response.text())


async def _serving(token: str | None) -> AsyncIterator[Running]:
    runner = web.AppRunner(CodecServer(CODEC, [UI, "https://ui.example/"], token).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield Running(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await runner.cleanup()


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Running]:
    async for running in _serving(None):
        yield running


@pytest.fixture(scope="module")
async def guarded() -> AsyncIterator[Running]:
    async for running in _serving("of-the-codec-server"):
        yield running


async def test_it_opens_and_seals_as_the_protocol_says(server: Running) -> None:
    sealed = (await server("encode", [PLAIN])).payloads
    assert b"canary" not in sealed[0].SerializeToString()
    # As the UI sends it: base64 in metadata and data, the namespace in a header, under any path prefix.
    for path in ("decode", "default/decode", "codec/v1/decode"):
        opened = await server(path, sealed, Origin=UI, X_Namespace="default")
        assert opened.payloads == [PLAIN]
        assert opened.headers["Access-Control-Allow-Origin"] == UI
        assert opened.headers["Access-Control-Allow-Credentials"] == "true"
        assert opened.headers["Cache-Control"] == "no-store"
    assert json.loads((await server("decode", "{}")).text) == {}


async def test_what_it_cannot_open_stays_and_the_rest_is_shown(server: Running) -> None:
    sealed = await CODEC.encode([PLAIN])
    other = await EncryptionCodec({"other": b"x" * 32}).encode([PLAIN])
    assert (await server("decode", [*sealed, *other, PLAIN])).payloads == [PLAIN, *other, PLAIN]


async def test_a_browser_learns_what_the_ui_may_send(server: Running) -> None:
    preflight = await server(
        "decode", None, "OPTIONS", Origin="https://ui.example", Access_Control_Request_Method="POST"
    )
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://ui.example"
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = preflight.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "content-type", "x-namespace"} <= set(allowed)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"{UI}.evil.example", "https://127.0.0.1:8233", ""])
async def test_no_other_page_may_ask(server: Running, origin: str) -> None:
    sealed = await CODEC.encode([PLAIN])
    for method in ("POST", "OPTIONS"):
        refused = await server("decode", sealed, method, Origin=origin)
        assert refused.status == 403
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "canary" not in refused.text


async def test_a_page_can_not_ask_without_being_asked_first(server: Running) -> None:
    """Content types that need no preflight are refused from every client."""
    sealed = await CODEC.encode([PLAIN])
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert (await server("decode", sealed, Content_Type=kind)).status == 415


@pytest.mark.parametrize(
    "given", [None, "", "of-the-codec-server", "Bearer", "Bearer x", "Bearer of-the-codec-server "]
)
async def test_where_a_token_is_set_it_is_demanded(guarded: Running, given: str | None) -> None:
    sealed = await CODEC.encode([PLAIN])
    headers = {} if given is None else {"Authorization": given}
    for path in ("decode", "encode"):
        refused = await guarded(path, sealed, Origin=UI, **headers)
        # aiohttp itself strips the blank at the end of a header.
        assert refused.status == (200 if given == "Bearer of-the-codec-server " else 401)
    assert (await guarded("decode", sealed, Authorization="Bearer of-the-codec-server")).payloads == [PLAIN]
    assert (await guarded("decode", None, "OPTIONS", Origin=UI)).status == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"canary",
        b'{"payloads": 1}',
        b'{"canary": 1}',
        b"\xff",
        b"[" * 9000,
    ],
)
async def test_what_is_no_payloads_is_refused_and_not_repeated(server: Running, body: bytes) -> None:
    refused = await server("decode", body)
    assert refused.status == 400
    assert "canary" not in refused.text


async def test_a_huge_body_is_refused(server: Running) -> None:
    assert (await server("decode", io.BytesIO(b" " * (MOST_BYTES + 1)))).status == 413
    for path in ("", "other", "decode/other"):
        assert (await server(path, b"{}")).status in (404, 405)


def test_it_is_not_open_to_others_without_a_token() -> None:
    keys = SecretStr(generate_key("old"))
    with pytest.raises(SettingsError, match="PAYLOAD_KEYS is not set"):
        make_codec_server(load())
    for host in ("0.0.0.0", "::", "10.0.0.1", "codec.example"):
        with pytest.raises(SettingsError, match="set CODEC_SERVER_TOKEN"):
            make_codec_server(load(payload_keys=keys, codec_server_host=host))
        make_codec_server(load(payload_keys=keys, codec_server_host=host, codec_server_token=SecretStr("t")))
    for host in ("127.0.0.1", "::1", "localhost"):
        make_codec_server(load(payload_keys=keys, codec_server_host=host))
