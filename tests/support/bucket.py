"""A small S3: it lists and serves the objects of one bucket from memory, over HTTP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class ServedObjects:
    """Objects by key. `cut`: of these, only so many bytes are sent before the connection is closed."""

    name: str = "usage"
    objects: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which obstore finds the bucket."""
        return {
            "AWS_ENDPOINT": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


@contextmanager
def serving_bucket() -> Iterator[ServedObjects]:
    """Yield an empty bucket that is served on a free port."""
    bucket = ServedObjects()

    class ObjectHandler(_ObjectHandler):
        served = bucket

    with ThreadingHTTPServer(("127.0.0.1", 0), ObjectHandler) as server:
        bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _ObjectHandler(BaseHTTPRequestHandler):
    served: ServedObjects
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.served.requests.append(unquote(self.path))
        key = unquote(parts.path).removeprefix(f"/{self.served.name}").removeprefix("/")
        if not key:
            self._list(parse_qs(parts.query).get("prefix", [""])[0])
        elif key in self.served.objects:
            self._send(key)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _send(self, key: str) -> None:
        content = self.served.objects[key]
        start = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(start[1]) if start else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(content)}"')
        self.send_header("Last-Modified", "Sun, 01 May 2022 00:00:00 GMT")
        self.send_header("Content-Length", str(len(content) - first))
        if start:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[first : self.served.cut.get(key)])
        self.close_connection = key in self.served.cut

    def _list(self, prefix: str) -> None:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            f"<LastModified>2022-05-01T00:00:00.000Z</LastModified><ETag>{_etag(content)}</ETag></Contents>"
            for key, content in self.served.objects.items()
            if key.startswith(prefix)
        )
        self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""
