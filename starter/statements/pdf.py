"""A statement as PDF, typeset by Typst in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import tzinfo
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from billing.errors import PermanentError
from billing.statement.model import Statement
from billing.text import one_line
from starter.statements import typesetting, words
from starter.statements.layout import MARGIN, ItemColumn, item_columns, item_groups
from starter.statements.letterhead import Letterhead, Paper
from starter.statements.view import StatementView
from starter.statements.viewing import item_rows, view_of

MOST_ITEMS = 50_000
"""The most instances of a PDF, which has 30 on each page: more of them belong in a spreadsheet."""

_CHUNK = 64 * 1024
_PART = 100  # groups of items that are typeset together
_TEMPLATES = ("statement.typ", "foot.typ", "bound.typ")
_PAPERS = {Paper.A4: "a4", Paper.LETTER: "us-letter"}
_INHERITED = ("PATH", "TMPDIR", "LANG")
_AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class StatementError(PermanentError):
    """A statement's file cannot be made in this form; the message says which form can."""


async def pdf_chunks(statement: Statement, letterhead: Letterhead) -> AsyncIterator[bytes]:
    """Yield the PDF in chunks.

    Raises:
        StatementError: it has more than `MOST_ITEMS` instances, or Typst fails.
    """
    if statement.extent.items > MOST_ITEMS:
        raise StatementError(
            f"{statement.extent.items:,} instances are too many for a PDF, which holds {MOST_ITEMS:,}: "
            "write csv, xlsx or html"
        )
    with tempfile.TemporaryDirectory(prefix="perdure-statement-") as name:
        folder = Path(name)
        await asyncio.to_thread(prepare, folder, statement, letterhead)
        await _typeset(folder)
        with (folder / "statement.pdf").open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def prepare(folder: Path, statement: Statement, letterhead: Letterhead) -> None:
    """Write into the folder what Typst reads: the templates, the page's texts and the items as JSON, and the logo.

    Texts reach Typst as values and are never markup.
    """
    for name in _TEMPLATES:
        (folder / name).write_bytes(files("starter.statements").joinpath("templates", name).read_bytes())
    view = view_of(statement, letterhead)
    columns = item_columns(statement, view, letterhead.paper)
    logo = letterhead.logo
    if logo is not None:
        (folder / f"logo.{logo.suffix}").write_bytes(logo.content)
    page = {
        **asdict(view),
        "logo": None if logo is None else f"logo.{logo.suffix}",
        "paper": _PAPERS[letterhead.paper],
        "margin": MARGIN,
        "columns": [asdict(column) for column in columns],
        "all_credits": words.credits_of(statement.credits),
        "all_amount": words.money(statement.amount, statement.currency),
        "all_padding": words.padding(statement.amount, statement.currency),
    }
    (folder / "page.json").write_text(json.dumps(page))
    for number, part in enumerate(_parts(_pieces(statement, view, columns, letterhead.zone))):
        (folder / f"part-{number:05}.json").write_text(json.dumps(part))


def _pieces(
    statement: Statement, view: StatementView, columns: Sequence[ItemColumn], zone: tzinfo
) -> Iterator[dict[str, Any]]:
    """Yield the items in pieces, each of one line: which line, whether it is its first or last piece, the groups."""
    for number, section in enumerate(view.sections):
        groups = iter(item_groups(item_rows(statement, section.line_no, zone), columns))
        continued, found = False, list(islice(groups, _PART))
        while found:
            following = list(islice(groups, _PART))
            yield {"section": number, "continued": continued, "complete": not following, "groups": found}
            continued, found = True, following


def _parts(pieces: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the pieces in parts that are typeset one by one. The first one can be empty."""
    part: list[dict[str, Any]] = []
    for piece in pieces:
        if part and sum(len(each["groups"]) for each in [*part, piece]) > _PART:
            yield part
            part = []
        part.append(piece)
    yield part


async def _typeset(folder: Path) -> None:
    """Run Typst, in two processes at a time at most: each takes a core and 150 MB."""
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)):
        await _run(folder)


async def _run(folder: Path) -> None:
    # No settings, so no secrets, and no module of ours.
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", typesetting.__file__, str(folder)),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise StatementError(f"the PDF cannot be made: {one_line(complaint.decode(errors='replace'))}: write html")
