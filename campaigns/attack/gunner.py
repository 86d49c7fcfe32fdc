"""Fires shots, each on its own connection, and puts the answers into words."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field

from campaigns.attack.shots import CANARY, CLOSED, SECRET, Shot

_PATIENCE_SECONDS = 60.0
_ANSWER_SECONDS = 0.2  # waits for an answer before it ends the request
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_TELLTALES = (CANARY.encode(), SECRET.encode(), b"aiohttp", b"Python", b"Traceback")


@dataclass
class Tally:
    """The answers to a family's shots."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, name: str, shot: Shot, answer: bytes) -> None:
        """Count an answer and note what is wrong with it."""
        self.sent += 1
        found = statuses(answer)
        self.answers[" ".join(dict.fromkeys(found))] += 1
        if not set(found) <= shot.right:
            self.wrong.append(
                f"{name}: answered {', '.join(sorted(set(found)))}, not {' or '.join(sorted(shot.right))}"
            )
        if reported := [telltale.decode() for telltale in _TELLTALES if telltale in answer]:
            self.wrong.append(f"{name}: the answer reveals {', '.join(reported)}")


def statuses(answer: bytes) -> list[str]:
    """Return the statuses answered on a connection, a 200 with its word, or `CLOSED` if there was no answer."""
    found = [match.decode() for match in _STATUS.findall(answer)]
    words = "ignored" if b"ignored\n" in answer else "ok" if b"ok\n" in answer else "?"
    return [f"{status} {words}" if status == "200" else status for status in found] or [CLOSED]


async def shoot(host: str, port: int, shot: Shot) -> bytes:
    """Write the shot on a new connection and read until the server closes it.

    Raises:
        TimeoutError: the server kept the connection open.
    """
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except ConnectionError:
        return b""
    reading = asyncio.create_task(_read(reader))
    try:
        await _write(writer, shot, reading)
        return await asyncio.wait_for(reading, _PATIENCE_SECONDS)
    finally:
        reading.cancel()
        writer.transport.abort()


async def _write(writer: asyncio.StreamWriter, shot: Shot, reading: asyncio.Task[bytes]) -> None:
    try:
        for chunk in shot.chunks:
            writer.write(chunk)
            await writer.drain()
            if shot.pause:
                await asyncio.wait([reading], timeout=shot.pause)
            if reading.done():
                return
        if shot.ends:
            await asyncio.wait([reading], timeout=_ANSWER_SECONDS)
            writer.write_eof()
    except OSError:
        return  # closed by the server; its answer before that is still read


async def _read(reader: asyncio.StreamReader) -> bytes:
    whole = bytearray()
    try:
        while part := await reader.read(65_536):
            whole += part
    except OSError:
        pass
    return bytes(whole)
