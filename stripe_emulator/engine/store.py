"""The emulator's state in one SQLite file: objects as JSON text, with a few indexed columns.

Only one process can open the file. A transaction is one API request; once it is committed, the state survives the
death of the process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Obj: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, parent TEXT, status TEXT, label TEXT, body TEXT NOT NULL, UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS object_created ON object (kind, created, seq);
CREATE INDEX IF NOT EXISTS object_place ON object (kind, seq);
CREATE INDEX IF NOT EXISTS object_customer ON object (kind, customer, created, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_parent ON object (kind, parent, created, seq) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_status ON object (kind, status, created, seq) WHERE status IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_label ON object (kind, label, created, seq) WHERE label IS NOT NULL;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, endpoint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, request TEXT NOT NULL, created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, attempt INTEGER NOT NULL,
    first_at REAL NOT NULL, next_at REAL NOT NULL, held INTEGER NOT NULL, body TEXT);
CREATE INDEX IF NOT EXISTS delivery_next ON delivery (next_at, id);
CREATE INDEX IF NOT EXISTS delivery_event ON delivery (event);
CREATE TABLE IF NOT EXISTS timer (
    kind TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timer_at ON timer (at);
CREATE TABLE IF NOT EXISTS search_pending (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, due REAL, fields TEXT);
CREATE INDEX IF NOT EXISTS search_due ON search_pending (kind, due);
CREATE TABLE IF NOT EXISTS search_entry (kind TEXT, field TEXT, value TEXT COLLATE NOCASE, id TEXT);
CREATE INDEX IF NOT EXISTS search_value ON search_entry (kind, field, value);
CREATE INDEX IF NOT EXISTS search_id ON search_entry (kind, id);
"""

# The attribute of an object that fills each indexed column.
COLUMNS: dict[str, dict[str, str]] = {
    "customer": {"label": "email"},
    "deleted_customer": {},
    "subscription": {"customer": "customer", "status": "status"},
    "invoice": {
        "customer": "customer",
        "parent": "parent.subscription_details.subscription",
        "status": "status",
    },
    "line_item": {"parent": "invoice"},
    "invoiceitem": {"customer": "customer", "parent": "invoice"},
    "credit_note": {"customer": "customer", "parent": "invoice"},
    "tax_id": {"customer": "customer"},
    "coupon": {},
    "discount": {"customer": "customer"},
    "price": {"parent": "product"},
    "charge": {"customer": "customer", "parent": "payment_intent"},
    "invoice_payment": {"parent": "invoice", "status": "status", "label": "payment.payment_intent"},
    "refund": {"parent": "payment_intent", "label": "charge"},
    "dispute": {"parent": "payment_intent", "status": "status", "label": "charge"},
    "event": {"label": "type"},
    "product": {},
    "webhook_endpoint": {},
}


class StoreBusyError(Exception):
    """Another process has the data file."""


@dataclass(slots=True)
class Query:
    """The selection of a list: `where` holds SQL conditions; newest first unless `oldest_first`.

    `by_place` orders only by the order of creation, regardless of the clock.
    """

    kind: str
    where: list[tuple[str, Any]] = field(default_factory=list)
    limit: int = 10
    oldest_first: bool = False
    by_place: bool = False


class Store:
    """The tables and their queries; use from one thread."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0.5)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing; only a power cut can lose the last transactions.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA wal_autocheckpoint=4000")
            self._db.executescript(_SCHEMA)
            if "body" not in {row[1] for row in self._db.execute("PRAGMA table_info(delivery)")}:
                self._db.execute("ALTER TABLE delivery ADD COLUMN body TEXT")  # a file of an earlier version
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                raise StoreBusyError(f"{path} is in use by another emulator") from None
            raise

    def close(self) -> None:
        """Write everything to the one file and close it."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block; roll back everything if it raises."""
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # false if SQLite has already rolled back
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction, which is rolled back alone if the block raises (unless the error has `keeps`)."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException as error:
            if not getattr(error, "keeps", False):
                self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
            raise
        self._db.execute("RELEASE part")

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return self._db.execute(sql, values).fetchall()

    def changed(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of changed rows."""
        return self._db.execute(sql, values).rowcount

    def text(self, kind: str, object_id: str) -> str | None:
        """Return an object's JSON text, or None if it does not exist."""
        row = self._db.execute("SELECT body FROM object WHERE kind=? AND id=?", (kind, object_id)).fetchone()
        return None if row is None else str(row[0])

    def get(self, kind: str, object_id: str) -> Obj | None:
        """Return a copy of an object, or None if it does not exist. Changing the copy does not change the store."""
        text = self.text(kind, object_id)
        return None if text is None else json.loads(text)

    def put(self, kind: str, obj: Obj, text: str) -> None:
        """Insert or replace an object; its place in lists stays."""
        columns = COLUMNS[kind]
        self._db.execute(
            "INSERT INTO object (kind, id, created, customer, parent, status, label, body) VALUES (?,?,?,?,?,?,?,?)"
            " ON CONFLICT (kind, id) DO UPDATE SET customer=excluded.customer, parent=excluded.parent,"
            " status=excluded.status, label=excluded.label, body=excluded.body",
            (
                kind,
                obj["id"],
                obj.get("created") or obj.get("date", 0),
                *(_column(obj, columns[name]) if name in columns else None for name in _INDEXED),
                text,
            ),
        )

    def add(self, kind: str, object_id: str, created: int, label: str, text: str) -> None:
        """Insert an object without parsing its text (events)."""
        self._db.execute(
            "INSERT INTO object (kind, id, created, label, body) VALUES (?,?,?,?,?)",
            (kind, object_id, created, label, text),
        )

    def delete(self, kind: str, object_id: str) -> None:
        """Remove an object."""
        self._db.execute("DELETE FROM object WHERE kind=? AND id=?", (kind, object_id))

    def count(self, kind: str, **equal: str) -> int:
        """Count the objects of a kind whose `customer`, `parent`, `status` or `label` equals a value."""
        where = "".join(f" AND {name}=?" for name in equal)
        sql = f"SELECT count(*) FROM object WHERE kind=?{where}"  # noqa: S608  names are the code's own
        return int(self._db.execute(sql, (kind, *equal.values())).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Count the objects by kind."""
        return dict(self._db.execute("SELECT kind, count(*) FROM object GROUP BY kind").fetchall())

    def place(self, kind: str, object_id: str) -> tuple[int, int] | None:
        """Return an object's place in its list's order, for paging."""
        row = self._db.execute("SELECT created, seq FROM object WHERE kind=? AND id=?", (kind, object_id))
        found = row.fetchone()
        return None if found is None else (found[0], found[1])

    def page(
        self, query: Query, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None
    ) -> tuple[list[str], bool]:
        """Return a page of texts, and whether more follow in the direction of paging."""
        ascending = query.oldest_first != (before is not None)
        clauses: list[str] = ["kind=?"]
        values: list[Any] = [query.kind]
        for clause, value in query.where:
            clauses.append(clause)
            if value is not None:
                values.append(value)
        edge = after or before
        if edge is not None:
            place, values = ("seq", [*values, edge[1]]) if query.by_place else ("(created, seq)", [*values, *edge])
            clauses.append(f"{place} {'>' if ascending else '<'} {'?' if query.by_place else '(?, ?)'}")
        way = "ASC" if ascending else "DESC"
        order = f"seq {way}" if query.by_place else f"created {way}, seq {way}"
        rows = self._db.execute(
            f"SELECT body FROM object WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?",  # noqa: S608
            (*values, query.limit + 1),
        ).fetchall()
        texts = [row[0] for row in rows[: query.limit]]
        return (texts[::-1] if before is not None else texts), len(rows) > query.limit

    def meta(self, name: str) -> Any:
        """Return a small value by name; `None` if it was never set."""
        row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_meta(self, name: str, value: Any) -> None:
        """Store a small JSON value by name."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def set_timer(self, kind: str, object_id: str, at: int | None) -> None:
        """Set the object's timer: it fires when the emulator's clock passes `at`; `None` clears it."""
        if at is None:
            self._db.execute("DELETE FROM timer WHERE kind=? AND id=?", (kind, object_id))
        else:
            self._db.execute("INSERT OR REPLACE INTO timer VALUES (?,?,?)", (kind, object_id, at))


def _column(obj: Obj, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = None if value is None else value.get(name)
    return value


_INDEXED = ("customer", "parent", "status", "label")
