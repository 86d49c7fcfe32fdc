"""Sheets as downloads, streamed while their rows are read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from aiohttp import web

from starter.console.services import services
from starter.sheets import Sheet, csv_chunks, xlsx_chunks

_CSV = "text/csv; charset=utf-8"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def send_csv(request: web.Request, sheet: Sheet, name: str) -> web.StreamResponse:
    """Answer with the sheet as `name`.csv."""
    async with services(request).heavy.one():
        return await send(request, csv_chunks(sheet), f"{name}.csv", _CSV)


async def send_xlsx(request: web.Request, sheet: Sheet, name: str) -> web.StreamResponse:
    """Answer with the sheet as `name`.xlsx."""
    async with services(request).heavy.one():
        return await send(request, xlsx_chunks([sheet]), f"{name}.xlsx", _XLSX)


async def send(request: web.Request, chunks: AsyncIterator[bytes], filename: str, kind: str) -> web.StreamResponse:
    """Answer with chunks as a file to save.

    The first one is made before the answer begins, so that what fails at the start is shown as a page.
    """
    try:
        return await _send(request, chunks, filename, kind)
    finally:  # also if the browser goes away: what is read for it holds a connection
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


async def _send(request: web.Request, chunks: AsyncIterator[bytes], filename: str, kind: str) -> web.StreamResponse:
    first = await anext(chunks, b"")
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in filename)
    headers = {"Content-Type": kind, "Content-Disposition": f'attachment; filename="{safe}"'}
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    await answer.write(first)
    async for chunk in chunks:
        await answer.write(chunk)
    await answer.write_eof()
    return answer
