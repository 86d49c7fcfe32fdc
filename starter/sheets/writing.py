"""Whole workbooks at once: to a file, or in chunks for an answer."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO

from starter.sheets.cells import Sheet
from starter.sheets.workbook import SheetBook, WrittenSheet

_CHUNK = 64 * 1024


async def write_xlsx(sheets: Sequence[Sheet], file: IO[bytes]) -> list[WrittenSheet]:
    """Write the sheets as one workbook to a binary file. Returns what was written of each."""
    async with SheetBook() as book:
        written = [await book.write(sheet) for sheet in sheets]
        await book.save(file)
    return written


async def xlsx_chunks(sheets: Sequence[Sheet]) -> AsyncIterator[bytes]:
    """Yield the workbook of these sheets in chunks, after all of their rows were read: it begins with its index."""
    with tempfile.TemporaryFile(prefix="perdure-sheets-") as file:
        await write_xlsx(sheets, file)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
