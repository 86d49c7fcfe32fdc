"""A statement as a file in one of four forms, in pieces of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from billing.statement.model import Statement
from starter.sheets import csv_chunks, xlsx_chunks
from starter.statements.forms import StatementForm
from starter.statements.letterhead import Letterhead
from starter.statements.page import html_chunks
from starter.statements.pdf import pdf_chunks
from starter.statements.tables import rows_sheet, workbook_sheets


async def render(statement: Statement, form: StatementForm, letterhead: Letterhead) -> AsyncIterator[bytes]:
    """Yield the statement's file in pieces.

    `statement` was proved by what opened it (`storage/statements/`). Its items are read more than once.

    Raises:
        StatementError: the file cannot be made; nothing was yielded.
    """
    chunks: AsyncIterator[bytes]
    match form:
        case StatementForm.HTML:
            chunks = html_chunks(statement, letterhead)
        case StatementForm.PDF:
            chunks = pdf_chunks(statement, letterhead)
        case StatementForm.CSV:
            chunks = csv_chunks(rows_sheet(statement))
        case StatementForm.XLSX:
            chunks = xlsx_chunks(workbook_sheets(statement, letterhead))
    async for chunk in chunks:
        yield chunk
