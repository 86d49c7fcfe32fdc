"""A statement's files as other programs read them: the amounts on them, exactly."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser

from pypdf import PdfReader

from billing.statement.model import Statement
from starter.statements.forms import StatementForm
from starter.statements.letterhead import Letterhead
from starter.statements.rendering import render

_NUMBER = re.compile(r"[−-]?[0-9][0-9,]*(\.[0-9]+)?")


async def file_of(statement: Statement, form: StatementForm, letterhead: Letterhead | None = None) -> bytes:
    """Return the whole file."""
    return b"".join([chunk async for chunk in render(statement, form, letterhead or Letterhead())])


def number(text: str) -> Decimal:
    """Return the number that a text begins with, as people write it: `−1,234.50 USD`."""
    match = _NUMBER.match(text.strip())
    assert match is not None, text
    return Decimal(match[0].replace(",", "").replace("−", "-"))


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV file by their columns."""
    return list(csv.DictReader(io.StringIO(content.decode())))


def pages(content: bytes) -> list[str]:
    """Return the text of each page of a PDF."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


@dataclass
class HtmlPage(HTMLParser):
    """The tables of a page by their class, each a list of rows of texts; and the addresses that it names."""

    tables: dict[str, list[list[list[str]]]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    _cell: list[str] | None = None
    _skipped: str | None = None
    _rows: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the parser."""
        super().__init__()

    @classmethod
    def read(cls, content: bytes) -> HtmlPage:
        """Parse a page."""
        page = cls()
        page.feed(content.decode())
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note tables, rows, cells and addresses."""
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href", "action", "data") if name in given]
        if tag == "table":
            self._rows = []
            self.tables.setdefault(given.get("class") or "", []).append(self._rows)
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif given.get("aria-hidden"):
            self._skipped = tag

    def handle_endtag(self, tag: str) -> None:
        """Finish a cell."""
        if tag == self._skipped:
            self._skipped = None
        elif tag in ("td", "th") and self._cell is not None:
            self._rows[-1].append("".join(self._cell).strip())
            self._cell = None

    def handle_data(self, data: str) -> None:
        """Add a text to its cell; what is hidden from people is left out."""
        if self._cell is not None and self._skipped is None:
            self._cell.append(data)
