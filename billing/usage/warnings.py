"""Warnings: usage that is probably wrong, reported before it costs money. A warning changes no amount and no state.

docs/warnings.md explains each kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

MOST_EXAMPLES = 3


class WarningKind(StrEnum):
    """The kinds of warnings, in the order in which they are printed."""

    EMPTY_IMPORT = "empty_import"
    NOTHING_ARRIVED = "nothing_arrived"
    LATE_USAGE = "late_usage"
    ABOVE_PREVIOUS = "above_previous"
    OVERLAPPING = "overlapping"
    RUNS_LONG = "runs_long"
    ABSENT = "absent"
    UNKNOWN_CLASS = "unknown_class"
    UNKNOWN_ACCOUNT = "unknown_account"
    MALFORMED_ID = "malformed_id"
    STARTS_BEFORE_CREATION = "starts_before_creation"
    DIFFERING_FACTS = "differing_facts"


ANY_SUBJECT = "*"
"""The subject of an accepted warning that silences its whole kind."""
NO_FILE = "none"
"""The subject of the warning of an import without files."""
NO_ID = "empty"
"""The subject of the warning of usage without an attribution id."""


@dataclass(frozen=True)
class WarningExample:
    """A subject of a warning: `detail` says what is wrong with it, `line` is its line in an imported file.

    Kind and subject together identify a warning: by them it is accepted. `file` names the file if there are several.
    """

    subject: str
    detail: str
    line: int | None = None
    file: str | None = None


@dataclass(frozen=True)
class UsageWarning:
    """The warnings of one kind: how many subjects there are, and the first of them."""

    kind: WarningKind
    count: int
    examples: tuple[WarningExample, ...]


def count(warnings: Iterable[UsageWarning]) -> int:
    """Return the number of warnings, which is that of their subjects."""
    return sum(warning.count for warning in warnings)


def merged(warnings: Iterable[UsageWarning], most: int = MOST_EXAMPLES) -> list[UsageWarning]:
    """Return one warning for each kind, in the order of the kinds, with at most `most` examples."""
    order = list(WarningKind)
    found = []
    for kind, same in groupby(sorted(warnings, key=lambda each: order.index(each.kind)), key=lambda each: each.kind):
        group = list(same)
        examples = [example for each in group for example in each.examples]
        found.append(UsageWarning(kind, count(group), tuple(examples[:most])))
    return found
