"""The result of an import: refused rows and warnings on stderr, the counts on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from billing.text import plural
from billing.usage.rows import RowFault
from billing.usage.warnings import UsageWarning, WarningExample, merged
from sources.files.reading import Places
from starter.cli import misbilled, output
from starter.cli.exits import ExitStatus
from starter.cli.imports.faults import FaultGroups
from starter.cli.warnings.printing import documents, print_block
from storage.usage.misbilled import MisbilledUsage

_RARE = ("stale", "repeated")


@dataclass(frozen=True)
class Stored:
    """The result of storing one batch, or of comparing a file's rows.

    `misbilled`: each account or changed instance of the batch, with its usage that is billed otherwise than it ran.
    """

    counts: Mapping[str, int]
    faults: Sequence[RowFault] = ()
    misbilled: Mapping[str, Sequence[MisbilledUsage]] = field(default_factory=dict)
    warnings: Sequence[UsageWarning] = ()


@dataclass
class ImportReport:
    """Counts, faults and warnings of one import.

    `counts`: rows that were not refused, by outcome; `repeated` ones are stored with another row. `refused`: refused
    rows; a row can have several faults. `notes`: lines for people, which change no status. With `strict`, warnings do.
    """

    counts: dict[str, int]
    as_json: bool
    places: Places = field(default_factory=Places)
    notes: list[str] = field(default_factory=list)
    strict: bool = False
    refused: int = 0
    dry_run: bool = False
    _sent: tuple[str, Mapping[str, object]] | None = None
    _complete: bool = True
    _warnings: list[UsageWarning] = field(default_factory=list)
    _faults: list[RowFault] = field(default_factory=list)
    _misbilled: dict[str, Sequence[MisbilledUsage]] = field(default_factory=dict)
    _groups: FaultGroups = field(init=False)

    def __post_init__(self) -> None:
        self._groups = FaultGroups(self.places)

    @property
    def rows(self) -> int:
        """The number of rows that were stored or are stored already."""
        return sum(self.counts.values()) - self.counts["repeated"]

    @property
    def status(self) -> ExitStatus:
        """The exit status."""
        if self.refused or not self._complete:
            return ExitStatus.PARTLY
        return ExitStatus.PERSON if self.strict and self._warnings else ExitStatus.DONE

    def add(self, stored: Stored, unreadable: Sequence[RowFault]) -> None:
        """Add a stored batch, and the faults of its rows that could not be parsed."""
        for name, count in stored.counts.items():
            self.counts[name] += count
        faults = sorted([*unreadable, *stored.faults], key=lambda fault: fault.line)
        self.refused += len({fault.line for fault in faults})
        if self.as_json:
            self._faults += faults
        else:
            self._groups.add(faults)
        # An account whose rows are spread over batches is checked with each batch: the last result counts.
        self._misbilled |= stored.misbilled
        self.warn(stored.warnings)

    def warn(self, warnings: Sequence[UsageWarning]) -> None:
        """Add warnings."""
        self._warnings += warnings

    def sent(self, sentence: str, document: Mapping[str, object], *, complete: bool) -> None:
        """Add what was sent to Stripe, in words and as JSON; unless it is complete, the exit status is 4."""
        self._sent, self._complete = (sentence, document), complete

    def finish(self) -> None:
        """Print the result: JSON, or a summary and the warnings, on stdout; what is refused or misbilled on stderr."""
        if self.as_json:
            output.print_json(self._document())
            hidden, more, hint = self.refused, "", ""
        else:
            for line in self._groups.lines():
                output.complain(line)
            self._warn_of_misbilled()
            counts = {**self.counts, "refused": self.refused}
            shown = {name: count for name, count in counts.items() if count or name not in _RARE}
            nothing = " Nothing was changed: this was a dry run." if self.dry_run else ""
            output.say(", ".join(f"{count} {name}" for name, count in shown.items()) + f".{nothing}")
            if self._sent is not None:
                output.say(self._sent[0])
            print_block(self._merged())
            hidden, more, hint = self._groups.hidden, "more ", ": --json lists all"
        if hidden:
            output.complain(f"perdure: {plural(hidden, f'{more}row')} refused{hint}")
        for note in self.notes:
            output.complain(f"perdure: warning: {note}")

    def _document(self) -> dict[str, Any]:
        faults = sorted(self._faults, key=lambda fault: fault.line)
        refused = [self._fault(fault) for fault in faults]
        dry = {"dry_run": True} if self.dry_run else {}
        result = {**dry, **self.counts, "refused": refused, "misbilled": self._misbilled_documents()}
        sent = {"in_stripe": self._sent[1]} if self._sent else {}
        return {**result, **sent, "warnings": documents(self._merged())}

    def _merged(self) -> list[UsageWarning]:
        """Return a warning for each kind, with the file and line of its examples."""
        return [
            replace(warning, examples=tuple(self._placed(example) for example in warning.examples))
            for warning in merged(self._warnings)
        ]

    def _placed(self, example: WarningExample) -> WarningExample:
        if example.line is None:
            return example
        file, line = self.places.find(example.line)
        return replace(example, line=line, file=file if self.places.several else None)

    def _fault(self, fault: RowFault) -> dict[str, Any]:
        file, line = self.places.find(fault.line)
        named = {"file": file} if self.places.several else {}
        return {**named, "line": line, "column": fault.column, "reason": self.places.reason(fault)}

    def _misbilled_documents(self) -> list[dict[str, Any]]:
        return [row for _, usage in sorted(self._misbilled.items()) for row in misbilled.documents(usage)]

    def _warn_of_misbilled(self) -> None:
        if rows := self._misbilled_documents():
            as_now = "if it were imported" if self.dry_run else "as now imported"
            output.complain(f"perdure: {misbilled.sentence(rows)}, {as_now}; it stays billed")
