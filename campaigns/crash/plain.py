"""The parts left out when two runs are compared, and why. Everything else must be equal.

`make crash-points` also plays each scenario a second time undisturbed; that run must equal the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STRIPE_ID = re.compile(r"\b([a-z]{2,12})(?:_\d)?_(?:[0-9a-f]{24}|[0-9a-f]{14})\b")
"""A random id of an object or a request. Its prefix stays, and so does an id that a scenario chose, such as
`cus_nobody`."""
_ACCOUNT = re.compile(r"\bacct_1[0-9a-f]{14}\b")
"""The Stripe account, which the addresses of hosted invoices name."""
_NUMBER = re.compile(r"\b[0-9A-F]{8}-(?=[0-9]{4}\b)")
"""The customer's part of an invoice's number."""
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""A workflow's run id, which names its audit."""
_FOLDER = re.compile(r"/[^\s\"]*/stage-\d+\b")
"""A run's own folder, which the report store's errors name."""
_STORE = re.compile(r'(?<="REPORT_STORE_URL \(digest\)": ")[0-9a-f]{16}')
"""The digest of the address of the report store, which is in that folder."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_INSTANT = re.compile(
    r"^(created|updated|claimed|drafted|approved|finalized|billed|paid|payment_failed|uncollectible|void_requested"
    r"|voided|requested|issued|released|settled|started|finished|checked|published|first_used|received|replaced"
    r"|accepted|recorded|registered|removed|read|first_seen|last_seen|stripe_seen|seen|revoked|details|decided|tried)_at$"
    r"|^(since|blocked_since|finalize_at|event_created|adopted_until|complete_up_to|failing_since)$"
)
"""Columns that the machine's clock fills. Whether they are filled is compared. Usage times, periods and instants of the
Stripe emulator's clock are equal in all runs."""
_SERIAL = "id"
"""An integer from a sequence: a rolled-back transaction uses one up too."""
_TRIES = "generation"
"""The number of idempotency keys that a request to Stripe has used: a kill can cost one."""
_RANDOM = frozenset(["hash", "request"])
"""Of an API's token, and of a request that a decision answers: both are random."""
_READ = frozenset(["rows_read", "rows_new", "undelivered", "undelivered_at", "delivered_at"])
"""What the last read of a source or of Stripe's events had: after an interruption a read goes on where it ended, with
fewer rows; Stripe's deliveries go on meanwhile."""
_ROUNDS = frozenset(["batches", "invoices"])
"""Counts in a period's summary: `period run`, repeated after a kill, processes the accounts again."""


@dataclass(frozen=True)
class Plain:
    """Makes the books of a run comparable.

    `keys`: the key of the row that a foreign key refers to, by column and serial number.
    `digests`: what replaces the digest of a report that contains Stripe ids.
    """

    keys: Mapping[tuple[str, int], str]
    digests: Mapping[str, str]

    def row(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the comparable part of a table's row."""
        kept: dict[str, Any] = {}
        for column, value in columns.items():
            if column == _TRIES or column in _READ | _RANDOM or (column == _SERIAL and isinstance(value, int)):
                continue
            if value is not None and _INSTANT.search(column):
                kept[column] = "<now>"
            elif column == "summary":
                kept[column] = {name: value[name] for name in value if name not in _ROUNDS}
            else:
                kept[column] = self.keys.get((column, value), value) if isinstance(value, int) else value
        return kept

    def lines(self, documents: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return a line for each document, sorted."""
        return sorted(self.text(json.dumps(document, sort_keys=True)) for document in documents)

    def text(self, given: str) -> str:
        """Return the text without this run's ids and folders."""
        known = _DIGEST.sub(lambda found: self.digests.get(found[0], found[0]), given)
        known = _STORE.sub("<store>", known)
        return _FOLDER.sub("<folder>", _UUID.sub("<run>", without_stripe_ids(known)))


def without_stripe_ids(text: str) -> str:
    """Return the text with each Stripe id replaced by its prefix, and the customer's part of numbers left out."""
    return _NUMBER.sub("", _ACCOUNT.sub("<acct>", _STRIPE_ID.sub(r"<\1>", text)))
