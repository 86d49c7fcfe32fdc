"""A bucket in memory that serves the part of S3 that the report store uses, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web


class Bucket:
    """The objects by key, and the requests so far. `fault`: a status with which every request is answered."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.fault: int | None = None
        self.fault_body = ""
        self.conditional = True
        self._parts: dict[int, bytes] = {}

    async def handle(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        self.requests.append((request.method, request.query_string))
        if self.fault is not None:
            return web.Response(status=self.fault, text=self.fault_body)
        if request.method == "PUT":
            return self._put(request, key, await request.read())
        if request.method == "POST":
            return self._multipart(request, key)
        if "list-type" in request.query:
            return _xml("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        body = self.objects.get(key)
        if body is None:
            return web.Response(status=404)
        headers = {"ETag": '"e"', "Last-Modified": "Sun, 01 May 2022 00:00:00 GMT"}
        return web.Response(body=body, headers=headers)

    def _put(self, request: web.Request, key: str, body: bytes) -> web.Response:
        headers = {"ETag": '"e"'}
        if "partNumber" in request.query:
            self._parts[int(request.query["partNumber"])] = body
            return web.Response(headers=headers)
        if request.headers.get("If-None-Match") == "*":
            if not self.conditional:
                return web.Response(status=501)
            if key in self.objects:
                return web.Response(status=412)
        self.objects[key] = body
        return web.Response(headers=headers)

    def _multipart(self, request: web.Request, key: str) -> web.Response:
        if "uploads" in request.query:
            self._parts.clear()
            return _xml("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        self.objects[key] = b"".join(self._parts[number] for number in sorted(self._parts))
        return _xml('<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>')


@asynccontextmanager
async def serve(bucket: Bucket) -> AsyncIterator[str]:
    """Serve this bucket and yield its URL."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/reports-bucket{slash:/?}{key:.*}", bucket.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


def point_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configured by the environment alone, as in a deployment."""
    monkeypatch.setenv("AWS_ENDPOINT", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
