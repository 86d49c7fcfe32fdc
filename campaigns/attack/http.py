"""Requests that are odd HTTP: cut off, too large, compressed, badly encoded, smuggled, or with another method."""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from random import Random

from campaigns.attack.shots import (
    BROKEN,
    CANARY,
    CLOSED,
    PATH,
    REFUSED,
    Make,
    Shot,
    chunked,
    encode,
    event,
    head,
    post,
    sign,
)

MOST_BYTES = 512 * 1024


def truncated(random: Random) -> Shot:
    """A request cut off in the head or the body. If there is no answer, the shot ends its side of the connection."""
    body = encode(event(random))
    whole = post(body, sign(body))
    return Shot((whole[: random.randrange(1, len(whole))],), BROKEN, ends=True)


def bad_chunks(random: Random) -> Shot:
    """Chunks with an invalid or a false size."""
    body = encode(event(random))
    broken = random.choice(
        [
            b"ffffffffffffffff1\r\n" + body,
            b"-5\r\n" + body + b"\r\n0\r\n\r\n",
            b"0x10\r\n" + body[:16] + b"\r\n0\r\n\r\n",
            b"\r\n" + body,
            b"zz\r\n" + body,
            b"5\r\n" + body + b"\r\n0\r\n\r\n",
            b"5;" + b"x" * random.randint(9000, 60_000) + b"\r\n12345\r\n0\r\n\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"%x\n" % len(body) + body + b"\n0\n\n",
            b"%x\r\n" % len(body) + body,
            b"0\r\n" + b"X: y\r\n" * random.randint(200, 3000) + b"\r\n",
        ]
    )
    return Shot((head(f"Stripe-Signature: {sign(body)}", "Transfer-Encoding: chunked") + broken,), BROKEN, ends=True)


@cache
def _spaces() -> bytes:
    return b" " * (3 * MOST_BYTES)


def huge(random: Random) -> Shot:
    """A larger body than the webhook reads; most are signed."""
    size = random.randint(MOST_BYTES + 1, 2 * MOST_BYTES)
    lied = random.choice([MOST_BYTES + 1, 10**9, 10**18])
    right = frozenset({"413", CLOSED})  # closed: before all was sent, so the answer is lost
    match random.randrange(3):
        case 0:
            return Shot((head("Stripe-Signature: t=1,v1=0", f"Content-Length: {lied}"),), right, ends=True)
        case 1:
            body = (encode(event(random)) + _spaces())[:size]
            return Shot((post(body, sign(body)),), right)
        case _:
            body = (encode(event(random)) + _spaces())[:size]
            lines = (f"Stripe-Signature: {sign(body)}", "Transfer-Encoding: chunked")
            return Shot((head(*lines) + chunked(body, random.choice([4096, 65_536, size])),), right)


@cache
def _bombs() -> tuple[tuple[str, bytes], ...]:
    blanks = b" " * 20_000_000
    return (
        ("gzip", gzip.compress(blanks)),
        ("deflate", zlib.compress(blanks)),
        ("gzip", gzip.compress(gzip.compress(blanks))),
    )


def bombs(random: Random) -> Shot:
    """A body that unpacks to 20 MB, or a good event in compressed form. The compressed bytes are signed."""
    coding, packed = random.choice(_bombs())
    if random.random() < 0.3:
        packed = gzip.compress(encode(event(random)))
    names = random.choice([coding, f"{coding}, {coding}", "br", "zstd", "x-gzip", "identity, gzip"])
    return Shot((post(packed, sign(packed), f"Content-Encoding: {names}"),))


def encodings(random: Random) -> Shot:
    """A correctly signed body that is not UTF-8 or not valid JSON text."""
    text = encode(event(random)).decode()
    body = random.choice(
        [
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            text.encode("utf-32"),
            b"\xef\xbb\xbf" + text.encode(),
            b"\xff\xfe" + text.encode(),
            text.replace("cus_1", "cus_\xe9").encode("latin-1"),
            text.replace("cus_1", "cus_\0").encode(),
            b"\0" + text.encode(),
            text.encode() + b"\0",
            text.replace("cus_1", "@@").encode().replace(b"@@", b"\xed\xa0\x80"),
            text.replace("cus_1", "@@").encode().replace(b"@@", b"\xc0\xaf"),
        ]
    )
    charset = random.choice(["utf-16", "latin-1", "utf-7", "no-such", "utf-8"])
    return Shot((post(body, sign(body), f"Content-Type: application/json; charset={charset}"),))


def headers(random: Random) -> Shot:
    """Unsigned requests with duplicate, very many, far too long or forbidden headers."""
    body = encode(event(random))
    length = f"Content-Length: {len(body)}"
    lines: list[str | bytes] = random.choice(
        [
            [length, f"Content-Length: {len(body) + 1}"],
            [length, length],
            [length, "Content-Type: application/json", "Content-Type: text/html"],
            [length, "Host: other.example.com"],
            [length, *(f"X-{n}: {CANARY}" for n in range(random.randint(129, 3000)))],
            [length, "X: " + "y" * random.randint(9000, 200_000)],
            [length, "Cookie: " + "a=b; " * random.randint(1, 1000)],
            [length, b"X: a\0b"],
            [length, b"X\x80: y"],
            [length, "X : y"],
            [length, " folded: y"],
            [length, "X: a", "\tb"],
            [length, b"X: a\rSet-Cookie: b"],
            [length, "Expect: 100-continue"],
            [length, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
        ]
    )
    return Shot((head(*lines) + body,), BROKEN | {"100"})


def smuggling(random: Random) -> Shot:
    """Two lengths or odd lines: requests that a proxy in front of the webhook might read differently."""
    body = encode(event(random))
    inner = post(body, "t=1,v1=0")
    te = random.choice(
        ["chunked", "Chunked", "chunked, identity", "identity, chunked", "xchunked", " chunked", "\tchunked"]
    )
    lines = [f"Content-Length: {len(body)}", f"Transfer-Encoding: {te}"]
    request = random.choice(
        [
            head(*lines) + b"0\r\n\r\n" + inner,
            head(*reversed(lines)) + b"0\r\n\r\n" + inner,
            head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + b"0\r\n\r\n" + inner,
            head("Content-Length: 0") + inner,
            head("Content-Length: +5") + b"hello",
            head("Content-Length: 5 5") + b"hello",
            head("Content-Length: 0x5") + b"hello",
            head("Content-Length: -1"),
            head("Content-Length: " + "9" * random.randint(20, 4000)),
            b"GET /stripe/webhook\r\n\r\n",
            b"\r\n" * random.randint(1, 500) + head(start="POST  /stripe/webhook  HTTP/1.1"),
            head(start=f"POST {PATH} HTTP/9.9"),
            head(start=f"POST {PATH} HTTP/1.1 HTTP/1.1"),
            head(start=f"POST {PATH}\x0b HTTP/1.1"),
            head(start="PRI * HTTP/2.0") + b"SM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(200),
            random.randbytes(random.randint(1, 2000)),
            inner.replace(b"\r\n", b"\n"),
        ]
    )
    return Shot((request,), BROKEN, ends=True)


def pipelined(random: Random) -> Shot:
    """Many requests on one connection, sent without waiting for answers."""
    body = encode(event(random))
    one = post(body, "t=1,v1=0").replace(b"Connection: close\r\n", b"")
    return Shot((one * random.randint(2, 60) + post(body, None),), REFUSED)


def methods_and_paths(random: Random) -> Shot:
    """Another method or another path."""
    if random.random() < 0.5:
        method = random.choice(["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO", "post"])
        return Shot((head(start=f"{method} {PATH} HTTP/1.1"),), frozenset({"405", "400", "404", CLOSED}))
    path = random.choice(
        [
            *("/", "//", "/stripe/webhook/", "/stripe", "/../../etc/passwd", "/stripe/webhook%00", "/%2e%2e/", "*"),
            *(f"/{random.getrandbits(64):x}", "/stripe//webhook", "http://evil.example/stripe", "/" + "a" * 8500),
        ]
    )
    body = encode(event(random))
    return Shot(
        (head(f"Content-Length: {len(body)}", start=f"POST {path} HTTP/1.1") + body,), frozenset({"404", "400"})
    )


FAMILIES: dict[str, Make] = {
    "truncated": truncated,
    "bad chunks": bad_chunks,
    "huge": huge,
    "bombs": bombs,
    "encodings, signed": encodings,
    "headers": headers,
    "smuggling": smuggling,
    "pipelined": pipelined,
    "methods and paths": methods_and_paths,
}
