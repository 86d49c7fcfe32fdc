"""The context of a handler: one request (or one timer), its parameters, the store, and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stripe_emulator.config import Behaviour
from stripe_emulator.engine.events import EventLog
from stripe_emulator.engine.objects import Text, changes, dumps, listed
from stripe_emulator.engine.search import SearchIndex
from stripe_emulator.engine.store import Obj, Query, Store
from stripe_emulator.errors import StripeError, forbidden, missing_object
from stripe_emulator.params.specs import Params

NAMES = {
    "line_item": "invoice line item",
    "webhook_endpoint": "webhook endpoint",
    "credit_note": "credit note",
    "tax_id": "tax id",
}


@dataclass(slots=True)
class EmulatedAccount:
    """The emulator's only Stripe account."""

    id: str
    country: str = "US"
    default_currency: str = "usd"


@dataclass(slots=True)
class Context:
    """One request. `params` are typed and checked, `ids` come from the path, `now` stays the same throughout."""

    store: Store
    events: EventLog
    search: SearchIndex
    account: EmulatedAccount
    behaviour: Behaviour
    now: int
    request_id: str | None = None
    idempotency_key: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()

    def load(self, kind: str, object_id: str, param: str = "id") -> Obj:
        """Return an object.

        Raises:
            StripeError: `resource_missing`, naming `param`.
        """
        obj = self.store.get(kind, object_id)
        if obj is None:
            raise missing_object(NAMES.get(kind, kind), object_id, param)
        return obj

    def text(self, kind: str, object_id: str) -> Text:
        """Return an object's JSON text, for an answer.

        Raises:
            StripeError: `resource_missing`.
        """
        text = self.store.text(kind, object_id)
        if text is None:
            raise missing_object(NAMES.get(kind, kind), object_id)
        return Text(text)

    def save(self, kind: str, obj: Obj, *events: str, before: Obj | None = None) -> Text:
        """Store the object and emit its events. `before` is a shallow copy from before the change.

        With `before`, events ending in `.updated` are emitted only if something differs, and carry the old values.
        """
        text = dumps(obj)
        self.store.put(kind, obj, text)
        self.search.note(kind, obj)
        for event in events:
            previous = None
            if before is not None and event.endswith(".updated"):
                previous = changes(before, obj)
                if not previous:
                    continue
            self.emit(event, text, previous)
        return Text(text)

    def emit(self, event: str, text: str, previous: Obj | None = None) -> None:
        """Emit an event with an object's text."""
        self.events.emit(self, event, text, previous)

    def listing(self, url: str, query: Query, equal: dict[str, str] | None = None) -> Text:
        """Return a page of a list, by the request's paging parameters and filters.

        `equal` maps parameters to indexed columns or JSON paths (`$.collection_method`).
        """
        params = self.params
        owner = params.get("customer")
        if owner is not None and not any(self.store.text(kind, owner) for kind in ("customer", "deleted_customer")):
            raise missing_object("customer", owner, "customer")
        for name, column in (equal or {}).items():
            if params.get(name) is not None:
                query.where.append(_equal(column, params[name]))
        for comparison, instant in (params.get("created") or {}).items():
            query.where.append((f"created {_OPERATORS[comparison]} ?", instant))
        query.limit = params.get("limit", 10)
        after, before = params.get("starting_after"), params.get("ending_before")
        if after is not None and before is not None:
            raise StripeError("You may only specify one of these parameters: starting_after, ending_before.")
        texts, more = self.store.page(
            query,
            self._edge(query.kind, after, "starting_after"),
            self._edge(query.kind, before, "ending_before"),
        )
        return listed(texts, more, url)

    def found(self, kind: str, url: str) -> Text:
        """Return a page of what the request's query finds.

        Raises:
            StripeError: search is not available (400) or not permitted (403), or the query is malformed.
        """
        if not self.behaviour.search_permitted:
            raise forbidden(self.account.id, f"rak_{kind}_read")
        if not self.behaviour.search_available:
            raise StripeError("The search feature is temporarily unavailable in your region.")
        return self.search.find(self.params, kind, url)

    def _edge(self, kind: str, object_id: str | None, param: str) -> tuple[int, int] | None:
        if object_id is None:
            return None
        place = self.store.place(kind, object_id)
        if place is None:
            raise missing_object(NAMES.get(kind, kind), object_id, param)
        return place


_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _equal(column: str, value: Any) -> tuple[str, Any]:
    if column.startswith("$"):
        return f"json_extract(body, '{column}') = ?", int(value) if isinstance(value, bool) else value
    return f"{column} = ?", value


NO_PARAMS = Params()
