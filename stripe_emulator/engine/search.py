"""Search (such as `/v1/customers/search`) in an index that lags behind writes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj, Store
from stripe_emulator.errors import StripeError

FIELDS: dict[str, tuple[str, ...]] = {
    "customer": ("email", "name", "phone", "created"),
    "invoice": ("created", "currency", "customer", "number", "status", "total"),
    "subscription": ("created", "status", "canceled_at"),
}
_CLAUSE = re.compile(
    r"""\s*(?P<no>-)?(?P<field>\w+)(?:\[(?P<q>['"])(?P<key>(?:\\.|(?!(?P=q)).)*)(?P=q)\])?\s*"""
    r"""(?P<op>:|~|>=|<=|>|<)\s*(?:(?P<v>['"])(?P<text>(?:\\.|(?!(?P=v)).)*)(?P=v)|(?P<bare>-?\d+|null))\s*""",
    re.VERBOSE,
)
_JOINT = re.compile(r"(AND|OR)\b", re.IGNORECASE)


class SearchIndex:
    """The index. Each write is queued with the time from which searches see it, `lag` seconds later."""

    def __init__(self, store: Store, lag: float) -> None:
        self._store, self.lag = store, lag

    def note(self, kind: str, obj: Obj) -> None:
        """Queue the object's new fields for the index; a deleted object is removed from it."""
        names = FIELDS.get(kind)
        if names is None:
            return
        fields: list[tuple[str, str]] = []
        if not obj.get("deleted"):
            fields = [(name, str(obj[name])) for name in names if obj.get(name) is not None]
            fields += [(f"metadata[{key}]", value) for key, value in obj["metadata"].items()]
        self._store.run(
            "INSERT INTO search_pending (kind, id, due, fields) VALUES (?,?,?,?)",
            (kind, obj["id"], time.time() + self.lag, json.dumps(fields)),
        )

    def forget(self, kind: str, object_id: str) -> None:
        """Remove a deleted object from the index, after the same lag."""
        self.note(kind, {"id": object_id, "deleted": True})

    def _catch_up(self, kind: str) -> None:
        now = time.time()
        rows = self._store.run(
            "SELECT id, fields FROM search_pending WHERE kind=? AND due<=? ORDER BY seq", (kind, now)
        )
        for object_id, fields in dict(rows).items():  # the latest fields of each object
            self._store.run("DELETE FROM search_entry WHERE kind=? AND id=?", (kind, object_id))
            for name, value in json.loads(fields):
                self._store.run("INSERT INTO search_entry VALUES (?,?,?,?)", (kind, name, value, object_id))
        if rows:
            self._store.run("DELETE FROM search_pending WHERE kind=? AND due<=?", (kind, now))

    def find(self, params: Mapping[str, Any], kind: str, url: str) -> Text:
        """Return the answer to a search request, newest first.

        Raises:
            StripeError: the query is malformed or names a field that cannot be searched.
        """
        with self._store.transaction():
            self._catch_up(kind)
        found = self._evaluate(kind, params["query"])
        places = sorted(
            ((place, one) for one in found if (place := self._store.place(kind, one)) is not None), reverse=True
        )
        start = _offset(params.get("page"))
        limit = params.get("limit", 10)
        texts = [self._store.text(kind, one) or "" for _, one in places[start : start + limit]]
        more = len(places) > start + limit
        page = f'"page_{start + limit}"' if more else "null"
        return Text(
            f'{{"object":"search_result","data":[{",".join(texts)}],"has_more":{"true" if more else "false"},'
            f'"next_page":{page},"url":"{url}"}}'
        )

    def _evaluate(self, kind: str, query: str) -> set[str]:
        position, joints, sets = 0, set(), []
        while True:
            match = _CLAUSE.match(query, position)
            if match is None:
                raise _malformed(query)
            sets.append(self._clause(kind, match))
            position = match.end()
            if position == len(query):
                break
            joint = _JOINT.match(query, position)
            if joint is None:
                raise _malformed(query)
            joints.add(joint[1].upper())
            position = joint.end()
        if len(joints) > 1:
            raise StripeError("A search query cannot mix AND and OR.", param="query")
        return set.union(*sets) if joints == {"OR"} else set.intersection(*sets)

    def _clause(self, kind: str, match: re.Match[str]) -> set[str]:
        name = match["field"]
        if name != "metadata" and name not in FIELDS[kind]:
            raise StripeError(f"Field `{name}` is an unsupported search field for resource `{kind}s`.", param="query")
        if (name == "metadata") != (match["key"] is not None):
            raise _malformed(match.string)
        column = f"metadata[{_plain(match['key'])}]" if match["key"] is not None else name
        value = _plain(match["text"]) if match["text"] is not None else match["bare"]
        condition = _CONDITIONS[match["op"]]
        wanted = f"%{value}%" if match["op"] == "~" else value
        sql = f"SELECT id FROM search_entry WHERE kind=? AND field=? AND {condition}"  # noqa: S608  fixed texts
        values = (kind, column, wanted)
        if value == "null" and match["bare"]:
            sql, values = "SELECT id FROM search_entry WHERE kind=? AND field=?", (kind, column)  # type: ignore[assignment]
        hits = {row[0] for row in self._store.run(sql, values)}
        if bool(match["no"]) == (value == "null" and bool(match["bare"])):
            return hits
        return {row[0] for row in self._store.run("SELECT id FROM search_entry WHERE kind=?", (kind,))} - hits


_CONDITIONS = {
    ":": "value = ?",
    "~": "value LIKE ?",
    ">": "CAST(value AS INTEGER) > CAST(? AS INTEGER)",
    "<": "CAST(value AS INTEGER) < CAST(? AS INTEGER)",
    ">=": "CAST(value AS INTEGER) >= CAST(? AS INTEGER)",
    "<=": "CAST(value AS INTEGER) <= CAST(? AS INTEGER)",
}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _offset(page: str | None) -> int:
    if page is None:
        return 0
    if not re.fullmatch(r"page_\d{1,9}", page):
        raise StripeError(f"Invalid page: {page}", param="page")
    return int(page[5:])


def _malformed(query: str) -> StripeError:
    return StripeError(
        f"We were unable to parse your search query: {query}. "
        "Use the form field:'value' or metadata['key']:'value', joined by AND or by OR.",
        param="query",
    )
