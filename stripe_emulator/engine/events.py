"""Events, and their delivery to webhook endpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Protocol

from stripe_emulator.config import Behaviour
from stripe_emulator.engine.faults import WebhookFaults
from stripe_emulator.engine.objects import dumps, new_id
from stripe_emulator.engine.rendering import rendered
from stripe_emulator.engine.store import Obj, Store


class Origin(Protocol):
    """The request or timer that caused an event; `now` in seconds since 1970."""

    behaviour: Behaviour
    now: int
    request_id: str | None
    idempotency_key: str | None


class EventLog:
    """Emits events and queues their deliveries in the transaction of the change that they report."""

    def __init__(self, store: Store, faults: WebhookFaults, wake: Callable[[], None]) -> None:
        self._store = store
        self._faults = faults
        self._wake = wake
        self._endpoints: list[tuple[str, str | None, frozenset[str]]] = []
        self.reload()

    def reload(self) -> None:
        """Read the enabled endpoints again after one was created, changed or deleted."""
        rows = self._store.run("SELECT body FROM object WHERE kind='webhook_endpoint' ORDER BY seq")
        endpoints: list[Obj] = [json.loads(row[0]) for row in rows]
        self._endpoints = [
            (one["id"], one["api_version"], frozenset(one["enabled_events"]))
            for one in endpoints
            if one["status"] == "enabled"
        ]

    def emit(self, origin: Origin, kind: str, text: str, previous: Obj | None) -> None:
        """Store an event with the object's JSON text and queue its deliveries.

        The event is kept in the account's API version. An endpoint with a version of its own gets it in that one.
        """
        event_id = new_id("evt_1")
        targets = [(one, version) for one, version, events in self._endpoints if kind in events or "*" in events]
        kept = origin.behaviour.api_version
        changed = f',"previous_attributes":{dumps(previous)}' if previous else ""
        request = dumps({"id": origin.request_id, "idempotency_key": origin.idempotency_key})

        def body(version: str) -> str:
            return (
                f'{{"id":"{event_id}","object":"event","api_version":"{version}","created":{origin.now},'
                f'"data":{{"object":{rendered(self._store, text, version)}{changed}}},"livemode":false,'
                f'"pending_webhooks":{len(targets)},"request":{request},"type":"{kind}"}}'
            )

        self._store.add("event", event_id, origin.now, kind, body(kept))
        for endpoint, version in targets:
            own = None if version in (None, kept) else version
            self._queue(event_id, kind, endpoint, body(own or kept), as_kept=own is None)
        if targets:
            self._wake()

    def _queue(self, event_id: str, kind: str, endpoint: str, body: str, as_kept: bool) -> None:
        """Queue the deliveries of a body, which is stored with them unless it is `as_kept` in the list of events."""
        now = time.time()
        for plan in self._faults.plan(kind, body):
            self._store.run(
                "INSERT INTO delivery (event, endpoint, attempt, first_at, next_at, held, body) VALUES (?,?,0,?,?,?,?)",
                (event_id, endpoint, now, now + plan.delay, plan.held, plan.body or (None if as_kept else body)),
            )
