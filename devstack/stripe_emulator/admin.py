"""`/_emulator/...`: what Stripe has not, for tests and demonstrations. Needs no key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from aiohttp import web

from .clock import Clock
from .config import RateLimits
from .deliveries import Deliveries
from .faults import FaultError, Faults, WebhookFaults
from .idempotency import Idempotency
from .rate_limits import RateLimiter
from .request_log import RequestLog
from .search import SearchIndex
from .store import Store
from .timers import Timers

Answer: TypeAlias = "dict[str, Any]"
Action: TypeAlias = "Callable[[dict[str, Any], str | None], Awaitable[Answer]]"


class AdminError(ValueError):
    """A malformed admin request; the message says why."""


@dataclass(slots=True)
class Admin:
    """The parts that the admin routes show and change."""

    store: Store
    clock: Clock
    timers: Timers
    deliveries: Deliveries
    faults: Faults
    webhook_faults: WebhookFaults
    idempotency: Idempotency
    limiter: RateLimiter
    requests: RequestLog
    search: SearchIndex

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer an admin request: JSON in, JSON out."""
        parts = request.path.removeprefix("/_emulator").strip("/").split("/")
        action = self._routes().get((request.method, parts[0]))
        if action is None or len(parts) > 2:
            return web.json_response({"error": f"no admin route {request.method} {request.path}"}, status=404)
        try:
            order = await _order(request)
            return web.json_response(await action(order, parts[1] if len(parts) == 2 else None))
        except (AdminError, FaultError) as error:
            return web.json_response({"error": str(error)}, status=400)

    def _routes(self) -> dict[tuple[str, str], Action]:
        return {
            ("GET", ""): self._index,
            ("GET", "health"): self._health,
            ("GET", "state"): self._state,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._move_clock,
            ("GET", "faults"): self._show_faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "webhook_faults"): self._show_webhook_faults,
            ("POST", "webhook_faults"): self._add_webhook_fault,
            ("DELETE", "webhook_faults"): self._clear_webhook_faults,
            ("GET", "requests"): self._requests,
            ("POST", "flush_webhooks"): self._flush,
            ("POST", "expire_idempotency_keys"): self._expire,
            ("GET", "settings"): self._settings,
            ("POST", "settings"): self._set,
        }

    async def _index(self, _order: Answer, _id: str | None) -> Answer:
        return {"routes": [f"{method} /_emulator/{name}" for method, name in self._routes() if name]}

    async def _health(self, _order: Answer, _id: str | None) -> Answer:
        return {"status": "ok"}

    async def _state(self, _order: Answer, _id: str | None) -> Answer:
        invoices = self.store.run("SELECT status, count(*) FROM object WHERE kind='invoice' GROUP BY status")
        return {
            "objects": self.store.counts(),
            "invoices": dict(invoices),
            "webhooks": self.deliveries.state(),
            "requests": self.requests.count,
            "clock": self.clock.state(),
        }

    async def _clock(self, _order: Answer, _id: str | None) -> Answer:
        return self.clock.state()

    async def _move_clock(self, order: Answer, _id: str | None) -> Answer:
        _only(order, "now", "advance_seconds", "frozen")
        if "now" in order or "frozen" in order:
            instant = _instant(order["now"]) if order.get("now") is not None else None
            self.clock.set(instant, bool(order.get("frozen")))
        if "advance_seconds" in order:
            self.clock.advance(_number(order["advance_seconds"], "advance_seconds"))
        self.store.set_meta("clock", self.clock.state())
        done = await self.timers.fire()
        return {**self.clock.state(), "timers_fired": done}

    async def _show_faults(self, _order: Answer, _id: str | None) -> Answer:
        return {"faults": [rule.state() for rule in self.faults.rules]}

    async def _add_fault(self, order: Answer, _id: str | None) -> Answer:
        return self.faults.add(order).state()

    async def _clear_faults(self, _order: Answer, rule: str | None) -> Answer:
        return {"removed": self.faults.clear(_rule_id(rule))}

    async def _show_webhook_faults(self, _order: Answer, _id: str | None) -> Answer:
        return {"webhook_faults": [rule.state() for rule in self.webhook_faults.rules]}

    async def _add_webhook_fault(self, order: Answer, _id: str | None) -> Answer:
        return self.webhook_faults.add(order).state()

    async def _clear_webhook_faults(self, _order: Answer, rule: str | None) -> Answer:
        return {"removed": self.webhook_faults.clear(_rule_id(rule))}

    async def _requests(self, order: Answer, _id: str | None) -> Answer:
        _only(order, "limit", "path")
        found = [one for one in self.requests.recent if order.get("path", "") in one["path"]]
        limit = int(_number(order.get("limit", 100), "limit"))
        return {"count": self.requests.count, "requests": found[-limit:] if limit else []}

    async def _flush(self, order: Answer, _id: str | None) -> Answer:
        _only(order, "timeout_seconds", "retry_now")
        seconds = _number(order.get("timeout_seconds", 30), "timeout_seconds")
        return {"pending": await self.deliveries.flush(seconds, bool(order.get("retry_now")))}

    async def _expire(self, order: Answer, _id: str | None) -> Answer:
        _only(order, "key")
        key = order.get("key")
        return {"removed": self.idempotency.expire(self.clock.now(), key, everything=key is None)}

    async def _settings(self, _order: Answer, _id: str | None) -> Answer:
        return {"search_lag_seconds": self.search.lag, "rate_limits": asdict(self.limiter.limits)}

    async def _set(self, order: Answer, _id: str | None) -> Answer:
        _only(order, "search_lag_seconds", "rate_limits")
        if "search_lag_seconds" in order:
            self.search.lag = _number(order["search_lag_seconds"], "search_lag_seconds")
        if "rate_limits" in order:
            self.limiter.limits = _limits(order["rate_limits"])
        await asyncio.sleep(0)
        return await self._settings({}, None)


async def _order(request: web.Request) -> Answer:
    if request.method != "POST":
        return dict(request.query)
    raw = await request.read()
    try:
        order = json.loads(raw) if raw else {}
    except ValueError as error:
        raise AdminError(f"the body is not JSON: {error}") from None
    if not isinstance(order, dict):
        raise AdminError("the body is not a JSON object")
    return order


def _only(order: Answer, *known: str) -> None:
    if unknown := set(order) - set(known):
        raise AdminError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise AdminError(f"{name}: {value!r} is not a number") from None


def _instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise AdminError(f"now: {value!r} is not an ISO 8601 time") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _rule_id(text: str | None) -> int | None:
    if text is not None and not text.isdigit():
        raise AdminError(f"{text!r} is not the number of a rule")
    return None if text is None else int(text)


def _limits(value: Any) -> RateLimits:
    try:
        return RateLimits.named(value) if isinstance(value, str) else RateLimits(**(value or {}))
    except (KeyError, TypeError):
        raise AdminError("rate_limits is off, live, sandbox, or {overall, endpoint, search}") from None
