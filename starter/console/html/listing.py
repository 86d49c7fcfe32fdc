"""The parts of listings: the fields of a filter, the headings that sort, and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FilterField:
    """A field of a filter, which stands in the address under `name`. With `choices`, one of (value, words)."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Pager:
    """Where a listing goes on. `shown`: how much of it the page has; `first` and `next`: addresses, "" for none."""

    shown: str
    first: str = ""
    next: str = ""


@dataclass(frozen=True)
class Sorting:
    """A heading. `to`: the address that sorts by it, "" if nothing does. `down`: how the page is sorted by it now."""

    name: str
    kind: str = ""
    to: str = ""
    down: bool | None = None

    @property
    def aria(self) -> str:
        """The present order, as `aria-sort` says it; "" if the page is not sorted by this."""
        return "" if self.down is None else "descending" if self.down else "ascending"
