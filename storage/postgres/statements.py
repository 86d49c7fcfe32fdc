"""The SQL, kept next to the Python that calls it: each statement follows a line `-- name: <statement>`.

A statement is called from its own folder only. Parameters are `:name`, or `CAST(:name AS type)` where PostgreSQL cannot
infer the type. `{fragment}` in a statement stands for the text of the statement `fragment` of the same file, or for the
states that `STATES` lists under that name: `state IN ({open})`. `{totals/days.days}` is the fragment of another file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text

from billing.invoice.credit_notes import CREDITABLE, LIVE, PENDING, CreditNoteState
from billing.invoice.states import BILLED, DEAD, OPEN, InvoiceState

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_FRAGMENT = re.compile(r"\{(?:([\w/]+)\.)?(\w+)\}")


def _literals(states: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{state}'" for state in states)


STATES = {
    "dead": _literals(state for state in InvoiceState if state in DEAD),
    "open": _literals(state for state in InvoiceState if state in OPEN),
    "billed": _literals(state for state in InvoiceState if state in BILLED),
    "creditable": _literals(state for state in InvoiceState if state in CREDITABLE),
    "live_credits": _literals(state for state in CreditNoteState if state in LIVE),
    "pending_credits": _literals(state for state in CreditNoteState if state in PENDING),
}
"""Sets of states, of invoices and of credit notes, as SQL literals."""


@cache
def statements(topic: str) -> dict[str, str]:
    """Return the statements of `storage/<topic>.sql` by name, as they are written there."""
    content = files("storage").joinpath(f"{topic}.sql").read_text()
    parts = _NAME.split(content)[1:]
    return {name: body.strip().removesuffix(";") for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _expand(topic: str, name: str) -> str:
    def filled(match: re.Match[str]) -> str:
        return STATES.get(match[2]) or _expand(match[1] or topic, match[2])

    return _FRAGMENT.sub(filled, statements(topic)[name])


@cache
def statement(topic: str, name: str) -> TextClause:
    """Return the statement `name` of `storage/<topic>.sql`, with its fragments filled in."""
    return text(_expand(topic, name))
