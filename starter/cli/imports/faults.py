"""Refused rows as the terminal shows them: a few of a kind one by one, many of a kind in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from billing.text import plural
from billing.usage.rows import RowFault
from sources.files.reading import Places

_ONE_BY_ONE = 5  # faults of a kind
_EXAMPLES = 3  # lines that are named of more of them
_MOST_KINDS = 100
# What differs in faults of one kind: quoted values, and ids, times and numbers.
_VALUE = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S*\d\S*")


@dataclass
class _Kind:
    count: int = 0
    first: list[RowFault] = field(default_factory=list)


@dataclass
class FaultGroups:
    """Faults by their kind. Memory grows neither with their number nor with that of their kinds.

    `hidden`: rows of which no fault is shown, because there are too many kinds.
    """

    places: Places
    hidden: int = 0
    _kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict)

    def add(self, faults: Sequence[RowFault]) -> None:
        """Add faults, all of a row at once."""
        counted = {fault.line for fault in faults if self._add(fault)}
        self.hidden += len({fault.line for fault in faults} - counted)

    def _add(self, fault: RowFault) -> bool:
        key = (fault.column, _VALUE.sub("", fault.reason))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) == _MOST_KINDS:
                return False
            kind = self._kinds[key] = _Kind()
        kind.count += 1
        if len(kind.first) < _ONE_BY_ONE:
            kind.first.append(fault)
        return True

    def lines(self) -> list[str]:
        """Return what to print, in the order of the rows."""
        found: list[tuple[int, str]] = []
        for kind in self._kinds.values():
            if kind.count <= _ONE_BY_ONE:
                found += [(fault.line, f"{self.places.name(fault.line)}, {self._said(fault)}") for fault in kind.first]
            else:
                found.append((kind.first[0].line, self._together(kind)))
        return [line for _, line in sorted(found, key=lambda each: each[0])]

    def _together(self, kind: _Kind) -> str:
        shown = [fault.line for fault in kind.first[:_EXAMPLES]]
        if self.places.several:
            where = "; ".join(map(self.places.name, shown))
        else:
            where = f"lines {', '.join(map(str, shown))}"
        return f"{plural(kind.count, 'row')}, {self._said(kind.first[0])} ({where}, ...)"

    def _said(self, fault: RowFault) -> str:
        return f"column {fault.column}: {self.places.reason(fault)}"
