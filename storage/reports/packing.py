"""Compressing and hashing reports, a piece at a time."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import IO, ParamSpec, TypeVar

from billing.errors import ReportError
from billing.report.format import report_id

CHUNK = 128 * 1024
"""Uncompressed bytes that are handled together."""
SPOOL = 1024 * 1024
"""Compressed bytes of a report that are kept in memory; more of them go to a file."""
_LEVEL = 4  # of zlib: twice as fast as its default, 5 % bigger
_INLINE = 32 * 1024  # below this a thread costs more than the work
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Packer:
    """Hashes content and compresses it into a file: the same content always gives the same file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        # 31 adds gzip's header, in which zlib writes no time and no name.
        self._zlib = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self.content_bytes = 0

    @property
    def digest(self) -> str:
        """The SHA-256 of the uncompressed content so far."""
        return self._hash.hexdigest()

    def write(self, content: bytes) -> None:
        """Add content."""
        self._hash.update(content)
        self.content_bytes += len(content)
        self._file.write(self._zlib.compress(content))

    def finish(self) -> int:
        """Finish the file. Returns its size."""
        self._file.write(self._zlib.flush())
        return self._file.tell()


def content_digest(file: IO[bytes], name: str) -> str:
    """Return the SHA-256 of the uncompressed content of `file`.

    Raises:
        ReportError: it cannot be unpacked.
    """
    if file.seek(0, os.SEEK_END) == 0:
        raise ReportError(f"report {name} was cut short: it is empty")
    file.seek(0)
    digest = hashlib.sha256()
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            while chunk := unpacked.read(CHUNK):
                digest.update(chunk)
    except EOFError as error:
        raise ReportError(f"report {name} was cut short") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ReportError(f"report {name} was changed: it cannot be unpacked: {error}") from error
    return digest.hexdigest()


async def compute(size: int, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do work on `size` bytes, in a thread if there are many, so that the event loop is not blocked."""
    if size <= _INLINE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class PackedReport:
    """A report that is ready to be stored: its compressed `size` bytes are in `file`, a temporary file.

    `content_bytes` is the uncompressed size. Leaving it as a context closes the file.
    """

    report_id: str
    digest: str
    content_bytes: int
    file: IO[bytes]
    size: int

    def __enter__(self) -> PackedReport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *_: object) -> None:
        """Close the file. Can be called again, and by a task that is done."""
        self.file.close()


async def pack(period: str, attribution_id: str, content: AsyncIterator[bytes]) -> PackedReport:
    """Compress a report's content, and name it by its digest. Little of it is in memory.

    Raises:
        ReportError: the period or the account cannot be part of a report's id.
    """
    file = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115 - the report has it
    try:
        packer = Packer(file)
        await _feed(packer, content)
        path = report_id(period, attribution_id, packer.digest)
        return PackedReport(path, packer.digest, packer.content_bytes, file, packer.finish())
    except BaseException:
        file.close()
        raise


async def _feed(packer: Packer, content: AsyncIterator[bytes]) -> None:
    pieces: list[bytes] = []
    size = 0
    async for piece in content:
        pieces.append(piece)
        size += len(piece)
        if size >= CHUNK:
            await asyncio.to_thread(packer.write, b"".join(pieces))
            pieces, size = [], 0
    await compute(size, packer.write, b"".join(pieces))
