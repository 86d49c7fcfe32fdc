"""How far a query was read: the update time after which the next read begins."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from billing.usage.rows import InstanceRow


class Cursor:
    """The latest update time of a read's rows, never later than the source's clock when the read began.

    It moves with each page only while the rows come in the order of their update times: otherwise rows of later pages
    can lie before it, and it moves when the last page is stored.
    """

    def __init__(self, start: datetime | None, clock: datetime, *, ordered: bool) -> None:
        self._start = start
        self._clock = clock
        self._latest: datetime | None = None
        self.ordered = ordered

    def after(self, rows: Iterable[InstanceRow]) -> datetime | None:
        """Return where the cursor is once these rows, the next of the read, are stored."""
        for row in rows:
            if row.updated_at is None:
                continue
            if self._latest is not None and row.updated_at < self._latest:
                self.ordered = False
            else:
                self._latest = row.updated_at
        return self.at_end if self.ordered else self._start

    @property
    def at_end(self) -> datetime | None:
        """Where the cursor is once all rows are stored."""
        if self._latest is None:
            return self._start
        latest = min(self._latest, self._clock)
        return latest if self._start is None else max(self._start, latest)
