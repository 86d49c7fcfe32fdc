"""What is left out of the comparison of two runs, and why. Everything else must be equal.

`make crash-points` also plays each scenario a second time undisturbed, which must differ from the first in nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STRIPE_ID = re.compile(r"\b([a-z]{2,12})(?:_\d)?_(?:[0-9a-f]{24}|[0-9a-f]{14})\b")
"""Of an object or a request: random. The prefix stays, and so does an id that a scenario chose, such as
`cus_nobody`."""
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""The id of a workflow run, which names its audit."""
_FOLDER = re.compile(r"/[^\s\"]*/stage-\d+\b")
"""Each run has its own folder, which errors of the report store name."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_INSTANT = re.compile(
    r"^(created|updated|claimed|drafted|approved|finalized|billed|paid|payment_failed|uncollectible|void_requested"
    r"|voided|requested|issued|released|settled|started|finished|checked)_at$"
    r"|^(since|blocked_since|finalize_at|event_created|adopted_until)$"
)
"""Columns that the machine's clock fills. Whether they are filled is compared. Times of usage, periods and instants of
the Stripe emulator's clock are equal in all runs."""
_SERIAL = "id"
"""An integer from a sequence: a transaction that is rolled back takes one as well."""
_TRIES = "generation"
"""The number of idempotency keys that a request to Stripe has used: a kill may cost one."""
_ROUNDS = frozenset(["batches", "invoices"])
"""Of a period's summary: `period run`, given again after a kill, goes over the accounts again."""


@dataclass(frozen=True)
class Plain:
    """Makes what a run leaves comparable.

    `keys`: the key of the row that a foreign key refers to, by column and serial number.
    `digests`: what replaces the digest of a report that contains Stripe ids.
    """

    keys: Mapping[tuple[str, int], str]
    digests: Mapping[str, str]

    def row(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """A row of a table."""
        kept: dict[str, Any] = {}
        for column, value in columns.items():
            if column == _TRIES or (column == _SERIAL and isinstance(value, int)):
                continue
            if value is not None and _INSTANT.search(column):
                kept[column] = "<now>"
            elif column == "summary":
                kept[column] = {name: value[name] for name in value if name not in _ROUNDS}
            else:
                kept[column] = self.keys.get((column, value), value) if isinstance(value, int) else value
        return kept

    def lines(self, documents: Iterable[Mapping[str, Any]]) -> list[str]:
        """A line for each document, sorted."""
        return sorted(self.text(json.dumps(document, sort_keys=True)) for document in documents)

    def text(self, given: str) -> str:
        """The same without this run's ids and folders."""
        known = _DIGEST.sub(lambda found: self.digests.get(found[0], found[0]), given)
        return _FOLDER.sub("<folder>", _UUID.sub("<run>", without_stripe_ids(known)))


def without_stripe_ids(text: str) -> str:
    """The same with the prefix of each Stripe id in its place."""
    return _STRIPE_ID.sub(r"<\1>", text)
