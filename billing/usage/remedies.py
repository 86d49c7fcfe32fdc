"""What can be done about a refused row: the owner of a file has other means than the owner of a source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedies:
    """What to do, in words, about a row that has no update time, and is refused for that reason or another.

    `untimed`: its instance is known by facts with a time. `reopened`: it lacks the known stop. `earlier_run`: it is
    about an earlier run. `changed`: it has another class, quantity or payer. `contradicted`: another row differs.
    """

    untimed: str
    reopened: str
    earlier_run: str
    changed: str
    contradicted: str


OF_FILE = Remedies(
    untimed="give the row an updated_at, or the file an instant with --as-of",
    reopened="import the row with its stop, or use --reopen",
    earlier_run="give it an updated_at, or use --correct if the instance ran only then",
    changed="give the row an updated_at if it changed then, or use --correct if it was wrong",
    contradicted="leave only the right one in the file",
)
_CORRECT = "import the right row with --correct"
OF_SOURCE = Remedies(
    untimed="give the source's rows an updated_at",
    reopened="give the row its stop, or the source `reopen = true` in sources.toml",
    earlier_run=f"give the source's rows an updated_at, or {_CORRECT} if the instance ran only then",
    changed=f"give the source's rows an updated_at if it changed then, or {_CORRECT} if it was wrong",
    contradicted="let the source have only the right one",
)
