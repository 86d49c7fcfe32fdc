"""Reading a source of files: what is in its folder or bucket, and the rows of each object."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from threading import Event

from billing.errors import InputError
from billing.usage.columns import ColumnNames
from sources.config import FilesSource
from sources.errors import Failure, SourceError
from sources.files.finding import ImportFile, ImportFiles, find_below
from sources.files.reading import Places, read_rows
from sources.reading import SourcePage, now, pages_of
from sources.urls import files_place


class FilesReader:
    """Reads a source of files: `objects`, then `pages` of those that were not read yet.

    An object is known by its name and its `etag`, both from the listing: if it changes while it is read, the next
    listing has it again, as another object.
    """

    def __init__(self, source: FilesSource) -> None:
        self._source = source
        self._clock = now()
        self._cancelled = Event()

    def clock(self) -> datetime:
        """Return our own clock of when the reader was opened."""
        return self._clock

    def objects(self) -> ImportFiles:
        """List all objects in name order; `warnings` says which were left out.

        Raises:
            SourceError: the folder or the bucket cannot be listed.
            InputError: the secret with the URL is missing or wrong.
        """
        url = self._source.url.read()
        try:
            place = files_place(url, self._source.url.folder)
        except InputError as error:
            raise InputError(f"{self._source.url.place}: {error}") from error
        try:
            return find_below(place, self._source.format)
        except InputError as error:
            raise SourceError(Failure.CONNECT, f"{self._source.place}: {error}") from error

    def pages(self, found: ImportFile, size: int) -> Iterator[SourcePage]:
        """Yield the rows of one object; `size` rows are held at once. `line` is their line in it, or their number.

        Raises:
            InputError: the object cannot be read, or its columns are wrong; what was yielded before is sound.
            SourceError: the reader was cancelled.
        """
        rows = read_rows([found], ColumnNames("instances", self._source.mapping), Places())
        pages = pages_of(rows, size, self._source.zone)
        try:
            for page in pages:
                self._check()
                yield page
        except InputError as error:
            raise InputError(f"{self._source.place}: {error}") from error

    def cancel(self) -> None:
        """End the read before its next page, from another thread."""
        self._cancelled.set()

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise SourceError(Failure.CANCELLED, f"{self._source.place}: the read was cancelled")
