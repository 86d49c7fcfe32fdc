"""`/_emulator/...`: routes that Stripe does not have, for tests and demonstrations. They need no key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TypeAlias

from aiohttp import web

from stripe_emulator.admin.orders import (
    AdminError,
    Answer,
    changed_behaviour,
    instant_of,
    limits_of,
    number,
    only,
    read_order,
    rule_id,
    whole,
)
from stripe_emulator.config import Behaviour
from stripe_emulator.engine.clock import Clock
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.deliveries import Deliveries
from stripe_emulator.engine.faults import FaultError, Faults, WebhookFaults
from stripe_emulator.engine.invoices.discounts import give_to_customer
from stripe_emulator.engine.invoices.disputes import close_dispute, open_dispute
from stripe_emulator.engine.invoices.payments import authenticate
from stripe_emulator.engine.search import SearchIndex
from stripe_emulator.engine.store import Store
from stripe_emulator.engine.timers import Timers
from stripe_emulator.errors import StripeError
from stripe_emulator.http.idempotency import Idempotency
from stripe_emulator.http.rate_limits import RateLimiter
from stripe_emulator.http.request_log import RequestLog

Action: TypeAlias = "Callable[[Answer, str | None], Awaitable[Answer]]"


@dataclass(slots=True)
class Admin:
    """The admin routes, with the parts that they show and change."""

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
    behaviour: Behaviour
    context: Callable[[int | None], Context]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer an admin request: JSON in, JSON out."""
        name, _, rest = request.path.removeprefix("/_emulator").strip("/").partition("/")
        one, _, verb = rest.partition("/")
        action = self._routes().get((request.method, f"{name}/{verb}" if verb else name))
        if action is None:
            return web.json_response({"error": f"there is no admin route {request.method} {request.path}"}, status=404)
        try:
            return web.json_response(await action(await read_order(request), one or None))
        except (AdminError, FaultError, StripeError) as error:
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
            ("POST", "disputes"): self._open_dispute,
            ("POST", "disputes/close"): self._close_dispute,
            ("POST", "invoices/authenticate"): self._authenticate,
            ("POST", "customers/discount"): self._give_discount,
            ("GET", "settings"): self._settings,
            ("POST", "settings"): self._set,
        }

    async def _index(self, _order: Answer, _id: str | None) -> Answer:
        names = [(method, name.replace("/", "/ID/")) for method, name in self._routes() if name]
        return {"routes": [f"{method} /_emulator/{name}" for method, name in names]}

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
        only(order, "now", "advance_seconds", "frozen")
        if "now" in order or "frozen" in order:
            instant = instant_of(order["now"]) if order.get("now") is not None else None
            self.clock.set(instant, bool(order.get("frozen")))
        if "advance_seconds" in order:
            self.clock.advance(number(order["advance_seconds"], "advance_seconds"))
        self.store.set_meta("clock", self.clock.state())
        done = await self.timers.fire()
        return {**self.clock.state(), "timers_fired": done}

    async def _show_faults(self, _order: Answer, _id: str | None) -> Answer:
        return {"faults": [rule.state() for rule in self.faults.rules]}

    async def _add_fault(self, order: Answer, _id: str | None) -> Answer:
        return self.faults.add(order).state()

    async def _clear_faults(self, _order: Answer, rule: str | None) -> Answer:
        return {"removed": self.faults.clear(rule_id(rule))}

    async def _show_webhook_faults(self, _order: Answer, _id: str | None) -> Answer:
        return {"webhook_faults": [rule.state() for rule in self.webhook_faults.rules]}

    async def _add_webhook_fault(self, order: Answer, _id: str | None) -> Answer:
        return self.webhook_faults.add(order).state()

    async def _clear_webhook_faults(self, _order: Answer, rule: str | None) -> Answer:
        return {"removed": self.webhook_faults.clear(rule_id(rule))}

    async def _requests(self, order: Answer, _id: str | None) -> Answer:
        only(order, "limit", "path")
        found = [one for one in self.requests.recent if order.get("path", "") in one["path"]]
        limit = int(number(order.get("limit", 100), "limit"))
        return {"count": self.requests.count, "requests": found[-limit:] if limit else []}

    async def _flush(self, order: Answer, _id: str | None) -> Answer:
        only(order, "timeout_seconds", "retry_now")
        seconds = number(order.get("timeout_seconds", 30), "timeout_seconds")
        return {"pending": await self.deliveries.flush(seconds, bool(order.get("retry_now")))}

    async def _expire(self, order: Answer, _id: str | None) -> Answer:
        only(order, "key")
        key = order.get("key")
        return {"removed": self.idempotency.expire(self.clock.now(), key, everything=key is None)}

    async def _open_dispute(self, order: Answer, _id: str | None) -> Answer:
        only(order, "invoice", "amount", "reason")
        amount = None if order.get("amount") is None else whole(order["amount"], "amount")
        with self.store.transaction():
            reason = str(order.get("reason", "fraudulent"))
            made = open_dispute(self.context(None), str(order.get("invoice")), amount, reason)
        return dict(json.loads(made))

    async def _close_dispute(self, order: Answer, dispute: str | None) -> Answer:
        only(order, "status")
        with self.store.transaction():
            return dict(json.loads(close_dispute(self.context(None), str(dispute), str(order.get("status")))))

    async def _authenticate(self, order: Answer, invoice: str | None) -> Answer:
        only(order)
        with self.store.transaction():
            return dict(json.loads(authenticate(self.context(None), str(invoice))))

    async def _give_discount(self, order: Answer, customer: str | None) -> Answer:
        only(order, "coupon")
        with self.store.transaction():
            return give_to_customer(self.context(None), str(customer), str(order.get("coupon")))

    async def _settings(self, _order: Answer, _id: str | None) -> Answer:
        return {
            "search_lag_seconds": self.search.lag,
            "rate_limits": asdict(self.limiter.limits),
            **asdict(self.behaviour),
            "tax_percent": str(self.behaviour.tax_percent),
            "more_tax_percents": [str(each) for each in self.behaviour.more_tax_percents],
            "api_version": self.behaviour.api_version,
        }

    async def _set(self, order: Answer, _id: str | None) -> Answer:
        only(order, *await self._settings({}, None))
        lag = number(order.get("search_lag_seconds", self.search.lag), "search_lag_seconds")
        limits = limits_of(order["rate_limits"]) if "rate_limits" in order else self.limiter.limits
        changed = changed_behaviour(self.behaviour, order)
        self.search.lag, self.limiter.limits = lag, limits
        for name in asdict(changed):
            setattr(self.behaviour, name, getattr(changed, name))
        await asyncio.sleep(0)
        return await self._settings({}, None)
