"""Opening what is imported: files, objects in buckets and standard input, compressed by gzip or not."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from billing.errors import InputError

ByteStream: TypeAlias = io.BufferedReader | gzip.GzipFile
Open: TypeAlias = Callable[[], AbstractContextManager[io.BufferedReader]]

_START = 4096
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SPREADSHEET = b"PK\x03\x04"
_PARQUET = b"PAR1"


def open_file(path: Path) -> AbstractContextManager[io.BufferedReader]:
    """Open a file."""
    return path.open("rb")


def open_standard_input() -> AbstractContextManager[io.BufferedReader]:
    """Open standard input, which stays open afterwards."""
    return open(sys.stdin.fileno(), "rb", closefd=False)


@contextmanager
def open_text(opened: Open) -> Iterator[ByteStream]:
    """Yield the text of a file, unpacked while it is read if it is compressed, after checking its beginning.

    Raises:
        InputError: the file is empty, is no UTF-8 text, or its compressed data is damaged or cut off. What was read
            before that is sound.
    """
    with opened() as raw, _unpacked(raw) as file:
        start = file.peek(_START)[:_START]
        if not start.strip():
            raise InputError("the file is empty")
        if start.startswith(_PARQUET):
            raise InputError("this is a Parquet file; name it *.parquet, or use --format parquet")
        if start.startswith(_SPREADSHEET):
            raise InputError("this is a spreadsheet or an archive; save it as CSV")
        if b"\0" in start or start.startswith(_UTF16):
            raise InputError("this is not UTF-8 text; save it as UTF-8")
        yield file


@contextmanager
def open_seekable(opened: Open) -> Iterator[IO[bytes]]:
    """Yield a file that can be searched: what comes from a pipe or a bucket is copied to a temporary file first.

    Raises:
        InputError: the file is empty or compressed as a whole.
    """
    with opened() as raw:
        start = raw.peek(_START)
        if not start:
            raise InputError("the file is empty")
        if start.startswith(_GZIP):
            raise InputError("this is compressed by gzip, and Parquet is compressed inside: unpack it first")
        if raw.seekable():
            yield raw
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(raw, copy)
            copy.seek(0)
            yield copy


@contextmanager
def _unpacked(raw: io.BufferedReader) -> Iterator[ByteStream]:
    if not raw.peek(len(_GZIP)).startswith(_GZIP):
        yield raw
        return
    try:
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked
    except EOFError as error:
        raise InputError("the compressed file is cut off: its end is missing") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the compressed file is damaged: {error}") from error
