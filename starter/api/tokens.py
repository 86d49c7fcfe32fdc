"""Whose token a request has. The valid tokens are kept for a moment, so that not every request asks the database."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from storage.arrivals.tokens import PREFIX, ValidToken, hash_secret

FRESH_SECONDS = 2.0
"""A revoked token is refused after this time at the latest."""
_PAUSE_SECONDS = 0.1  # between two questions to the database, however many forged tokens arrive
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class Tokens:
    """The valid tokens, by their hashes: a token is found by its hash, so nothing compares secrets."""

    def __init__(self, load: Callable[[], Awaitable[Sequence[ValidToken]]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        self._known: dict[bytes, ValidToken] = {}

    async def find(self, secret: str) -> ValidToken | None:
        """Return the token with this secret. None if there is none, or it was revoked, or has expired.

        A token that was made before this question is found; if it was revoked `FRESH_SECONDS` before, it is not.

        Raises:
            DatabaseUnavailableError: the tokens cannot be read.
        """
        if not _SECRET.fullmatch(secret):
            return None
        now, key = time.monotonic(), hash_secret(secret)
        if self._asked < now - FRESH_SECONDS or key not in self._known:
            await self._refresh(now)
        token = self._known.get(key)
        if token is None or (token.expires_at is not None and token.expires_at <= datetime.now(UTC)):
            return None
        return token

    async def _refresh(self, since: float) -> None:
        """Read the tokens, unless somebody has begun to read them at or after `since`."""
        async with self._lock:
            if self._asked >= since:
                return
            await asyncio.sleep(max(0.0, self._asked + _PAUSE_SECONDS - time.monotonic()))
            asked = time.monotonic()
            self._known = {token.hash: token for token in await self._load()}
            self._asked = asked
