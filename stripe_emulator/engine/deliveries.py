"""Webhook deliveries: signed, retried with growing pauses, a few at a time, kept across restarts."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import sqlite3
import time
from hashlib import sha256
from typing import Any

import aiohttp

from stripe_emulator.config import EmulatorConfig
from stripe_emulator.engine.store import Store

log = logging.getLogger(__name__)


def signature(secret: str, body: bytes, timestamp: int) -> str:
    """Return the `Stripe-Signature` header of a body at a time (seconds since the epoch)."""
    mac = hmac.new(secret.encode(), b"%d." % timestamp + body, sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


class Deliveries:
    """Sends the deliveries in the table `delivery`."""

    def __init__(self, store: Store, config: EmulatorConfig) -> None:
        self._store, self._config = store, config
        self._wake = asyncio.Event()
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self.delivered = 0
        self.failed = 0
        self.given_up = 0

    def wake(self) -> None:
        """Check for due deliveries now."""
        self._wake.set()

    def pending(self) -> int:
        """Return the number of deliveries that have not succeeded yet."""
        return int(self._store.run("SELECT count(*) FROM delivery")[0][0])

    def state(self) -> dict[str, int]:
        """Return the counts for the admin route."""
        return {
            "pending": self.pending(),
            "delivered": self.delivered,
            "failed_attempts": self.failed,
            "given_up": self.given_up,
        }

    def retry_now(self) -> None:
        """Make every pending delivery due immediately, including those held back."""
        self._store.run("UPDATE delivery SET next_at=?, held=0", (time.time(),))
        self.wake()

    async def flush(self, timeout: float, retry_now: bool) -> int:
        """Wait at most `timeout` seconds until nothing is pending. Returns the number still pending."""
        if retry_now:
            self.retry_now()
        end = time.monotonic() + timeout
        while (left := self.pending()) and time.monotonic() < end:
            self.wake()
            await asyncio.sleep(0.02)
        return left

    async def run(self) -> None:
        """Send until canceled. Deliveries in progress then are sent again after a restart."""
        timeout = aiohttp.ClientTimeout(total=self._config.webhook_timeout)
        connector = aiohttp.TCPConnector(limit=self._config.webhook_concurrency)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as self._session:
            try:
                while True:
                    self._wake.clear()
                    pause = self._start_due()
                    try:
                        await asyncio.wait_for(self._wake.wait(), pause)
                    except TimeoutError:
                        continue
            finally:
                tasks = list(self._sending.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _start_due(self) -> float | None:
        """Start due deliveries up to the concurrency limit.

        Returns the seconds until the next one is due, or None if none is waiting or the limit is reached.
        """
        room = self._config.webhook_concurrency - len(self._sending)
        if room <= 0:
            return None
        rows = self._store.run(
            "SELECT id, event, endpoint, attempt, first_at, next_at FROM delivery ORDER BY next_at, id LIMIT ?",
            (room + len(self._sending),),
        )
        for number, event, endpoint, attempt, first_at, next_at in rows:
            if number in self._sending:
                continue
            if next_at > time.time():
                return max(0.0, float(next_at) - time.time())
            if len(self._sending) >= self._config.webhook_concurrency:
                return None
            task = asyncio.create_task(self._deliver(number, event, endpoint, attempt, first_at))
            self._sending[number] = task
        return None

    async def _deliver(self, number: int, event: str, endpoint: str, attempt: int, first_at: float) -> None:
        try:
            target = self._store.text("webhook_endpoint", endpoint)
            lies = self._store.run("SELECT body FROM delivery WHERE id=?", (number,))
            body = (lies[0][0] if lies else None) or self._store.text("event", event)
            gone = target is None or body is None or json.loads(target)["status"] != "enabled"
            if gone or await self._post(json.loads(target or "{}"), body or "", event, number + attempt):
                self._store.run("DELETE FROM delivery WHERE id=?", (number,))
                self.delivered += not gone
                self._release(endpoint, number)
            else:
                self._postpone(number, attempt, first_at)
        except sqlite3.Error:  # such as a full disk: the delivery stays due, so do not retry at full speed
            log.exception("could not record the delivery of %s", event)
            await asyncio.sleep(1)
        finally:
            del self._sending[number]
            self.wake()

    async def _post(self, endpoint: dict[str, Any], text: str, event: str, ordinal: int) -> bool:
        body = text.encode()
        secret = self._store.meta(f"secret/{endpoint['id']}")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            # The receiver compares with real time, whatever the emulator's clock says. Stripe signs each attempt again,
            # so no two have the same signature; attempts here can follow within one second, hence the shifted times.
            "Stripe-Signature": signature(secret, body, int(time.time()) - ordinal % 30),
        }
        if self._session is None:
            return False
        try:
            async with self._session.post(
                endpoint["url"], data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.content.read(65536)
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.debug("webhook %s to %s: %s", event, endpoint["url"], error)
            return False

    def _release(self, endpoint: str, number: int) -> None:
        """Release older deliveries to the endpoint that were held back until a newer one had overtaken them."""
        self._store.run(
            "UPDATE delivery SET held=0, next_at=0 WHERE held=1 AND endpoint=? AND id<?", (endpoint, number)
        )

    def _postpone(self, number: int, attempt: int, first_at: float) -> None:
        self.failed += 1
        config = self._config
        now = time.time()
        if now - first_at >= config.webhook_give_up:
            self._store.run("DELETE FROM delivery WHERE id=?", (number,))
            self.given_up += 1
            return
        pause = min(config.webhook_retry_base * 2 ** min(attempt, 30), config.webhook_retry_cap)
        self._store.run("UPDATE delivery SET attempt=?, next_at=? WHERE id=?", (attempt + 1, now + pause, number))
