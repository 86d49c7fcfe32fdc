"""Reading a request's body within limits of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError


class BodyRefusedError(Exception):
    """A body is too large, too slow or incomplete. `status` is the answer's; the connection closes after it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_body(request: web.Request, most_bytes: int, seconds: float) -> bytes:
    """Return the raw body.

    Raises:
        BodyRefusedError: it is larger than `most_bytes`, does not arrive within `seconds`, or breaks off.
    """
    try:
        if (request.content_length or 0) > most_bytes:
            raise BodyRefusedError(413, "too large")
        async with asyncio.timeout(seconds):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyRefusedError(413, "too large") from None
    except TimeoutError:
        raise BodyRefusedError(408, "too slow") from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise BodyRefusedError(400, "the body broke off") from None
