"""Reading the objects of a bucket by their URLs, streamed, in any cloud that obstore supports."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from billing.errors import InputError
from storage.reports.opening import REMOTE, first_line, open_bucket

if TYPE_CHECKING:
    from obstore.store import ObjectStore
    from typing_extensions import Buffer

_CHUNK = 1024 * 1024  # bytes held at once


def is_bucket_url(text: str) -> bool:
    """Return whether `text` is a URL of an object or a prefix in a bucket."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme in REMOTE


@dataclass(frozen=True, order=True)
class ListedObject:
    """An object: its URL, its size in bytes, and the ETag of its content, empty if the store has none."""

    url: str
    size: int
    etag: str


def list_objects(url: str) -> Iterator[ListedObject]:
    """Yield all objects below a prefix in name order, without hidden ones and empty folders.

    Raises:
        InputError: the bucket cannot be read; the message names the URL.
    """
    with _naming(url):
        store, bucket, prefix = _open(url)
        pages = obstore.list(store, prefix=prefix or None)
        objects = sorted((found["path"], found["size"], found["e_tag"] or "") for page in pages for found in page)
    for path, size, etag in objects:
        below = path.removeprefix(prefix)
        if below and not any(part.startswith(".") for part in below.split("/")):
            yield ListedObject(f"{bucket}/{path}", size, etag)


@contextmanager
def open_object(url: str) -> Iterator[io.BufferedReader]:
    """Yield an object, which is fetched while it is read.

    Raises:
        InputError: it cannot be read, also half-way; nothing of what was read before is lost.
    """
    with _naming():
        store, _, path = _open(url)
        chunks = iter(obstore.get(store, path).stream(min_chunk_size=_CHUNK))
    opened: io.BufferedReader = io.BufferedReader(_Stream(chunks), _CHUNK)
    with opened as file:
        yield file


class _Stream(io.RawIOBase):
    """The chunks of an object as a file that cannot be searched."""

    def __init__(self, chunks: Iterator[Buffer]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return true: the file can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer from the current chunk, or else from the next. Returns 0 at the end."""
        while not self._rest:
            with _naming():
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        into = memoryview(buffer)
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _open(url: str) -> tuple[ObjectStore, str, str]:
    """Return the bucket's store, its URL and the path in it."""
    scheme, _, place = url.partition("://")
    name, _, path = place.partition("/")
    bucket = f"{scheme}://{name}"
    return open_bucket(bucket), bucket, path


@contextmanager
def _naming(url: str = "") -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{url}: there is no such object".removeprefix(": ")) from error
    except (BaseError, ValueError, OSError) as error:
        raise InputError(f"{url}: cannot be read: {first_line(error)}".removeprefix(": ")) from error
