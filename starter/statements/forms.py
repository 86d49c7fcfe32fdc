"""The forms of a statement's file."""

from __future__ import annotations

import re
from enum import StrEnum

from billing.statement.model import Statement

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class StatementForm(StrEnum):
    """The forms of a statement's file."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """The media type, for HTTP."""
        return _MEDIA[self]

    @property
    def is_binary(self) -> bool:
        """Whether a terminal cannot show it."""
        return self in (StatementForm.PDF, StatementForm.XLSX)


_MEDIA = {
    StatementForm.HTML: "text/html; charset=utf-8",
    StatementForm.PDF: "application/pdf",
    StatementForm.CSV: "text/csv; charset=utf-8",
    StatementForm.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def file_name(statement: Statement, form: StatementForm) -> str:
    """Return a name for the file that is safe in every file system: `statement-2022-05-team_blue-period.pdf`."""
    return f"statement-{_UNSAFE.sub('_', statement.key.replace('/', '-'))}.{form}"
