"""The report store: immutable, content-addressed usage reports in any store that obstore supports.

A report's id is its path. The digest in it is that of the uncompressed content, so that it does not depend
on how a version of zlib compresses. Memory stays flat: reports pass through a spooled temporary file.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import IO

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, NotSupportedError

from billing.errors import MissingReportError, ReportError, UnavailableError
from billing.report.format import ReportClaim, ReportHeader, decode_claim, decode_header, parse_report_id
from storage.reports.durable import sync
from storage.reports.opening import first_line, open_store
from storage.reports.packing import CHUNK, SPOOL, PackedReport, compute, content_digest, pack

_ONE_PUT = 8 * 1024 * 1024  # compressed bytes in one put; more of them go in a multipart upload
# obstore raises Python's own exceptions where they exist.
_MISSING = (NotFoundError, FileNotFoundError)
_UNSUPPORTED = (NotSupportedError, NotImplementedError)


class ReportStoreError(UnavailableError):
    """The report store cannot be reached or refuses the request; trying again can help."""


@dataclass(frozen=True)
class PublishedReport:
    """A report in the store. `content_bytes` is its uncompressed size; `created` is False if it was there already."""

    report_id: str
    digest: str
    content_bytes: int
    created: bool


class ReportStore:
    """Usage reports under one URL: `file:///folder`, `s3://bucket/prefix`, `gs://...` or `az://...`.

    Credentials and endpoints are read from the environment, under each provider's usual names (`AWS_...`,
    `GOOGLE_...`, `AZURE_...`).
    """

    def __init__(self, url: str) -> None:
        """Open the store. A missing local folder is created, readable by its owner alone.

        Raises:
            InputError: the URL is malformed or its folder cannot be created.
        """
        self._url = url
        self._store, self._folder = open_store(url)

    async def ping(self) -> None:
        """Make sure that the store answers.

        Raises:
            ReportStoreError: it does not answer, or refuses these credentials.
        """
        if self._folder is not None and not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise ReportStoreError(f"report store {self._url}: cannot read and write {self._folder}")
        with self._store_errors():
            async for _ in obstore.list(self._store, prefix="reports", chunk_size=1):
                break

    async def publish(self, period: str, attribution_id: str, content: AsyncIterator[bytes]) -> PublishedReport:
        """Store a report. `content`: its lines, in pieces of any size.

        Idempotent, also for concurrent calls with the same content.

        Raises:
            ReportError: the store has other content under this content's name.
            ReportStoreError: the store cannot be reached or refuses.
        """
        with await pack(period, attribution_id, content) as report:
            published = await self.put(report)
        await self.sync([published.report_id])
        return published

    async def put(self, report: PackedReport) -> PublishedReport:
        """Store a report, as `publish` does. In a local folder, it survives a power loss only after `sync`.

        Raises:
            ReportError, ReportStoreError: as `publish`.
        """
        path = report.report_id
        with self._store_errors():
            created = await self._put(path, report.file, report.size)
        if not created:
            # An earlier attempt has stored it. A change to it must not go unnoticed.
            async with aclosing(self.read(path)) as lines:
                async for _ in lines:
                    break
        return PublishedReport(path, report.digest, report.content_bytes, created)

    async def sync(self, report_ids: Collection[str]) -> None:
        """Make reports that were put survive a power loss. A cloud's need nothing more.

        Raises:
            ReportStoreError: the folder is gone, or its disk refuses.
        """
        if self._folder is not None and report_ids:
            with self._store_errors():
                await asyncio.to_thread(sync, self._folder, report_ids)

    async def restore(self, report_id: str, content: AsyncIterator[bytes]) -> bool:
        """Put back a missing or damaged report, if `content` has the digest in its id. Returns whether it has.

        Content with another digest is not stored, so that a report is only ever overwritten with itself.

        Raises:
            ReportError: this is not a report id.
            ReportStoreError: the store cannot be reached or refuses.
        """
        wanted = parse_report_id(report_id)
        with await pack(wanted.period, wanted.attribution_id, content) as report:
            if report.digest != wanted.digest:
                return False
            with self._store_errors():
                await self._overwrite(report_id, report.file, report.size)
        await self.sync([report_id])
        return True

    async def check(self, report_id: str) -> None:
        """Make sure that a report is in the store, whole and unchanged.

        Raises:
            MissingReportError: it is not there.
            ReportError: this is not a report id, or the report was cut short or changed.
            ReportStoreError: the store cannot be reached or refuses.
        """
        digest = parse_report_id(report_id).digest
        with tempfile.SpooledTemporaryFile(max_size=SPOOL) as file:
            await self._fetch_checked(report_id, digest, file)

    async def read(self, report_id: str) -> AsyncGenerator[bytes, None]:
        """Yield the report's lines, with their newlines. The whole report is checked before the first line.

        Raises:
            MissingReportError: it is not there.
            ReportError: this is not a report id, or the report was cut short or changed.
            ReportStoreError: the store cannot be reached or refuses.
        """
        digest = parse_report_id(report_id).digest
        with tempfile.SpooledTemporaryFile(max_size=SPOOL) as file:
            size = await self._fetch_checked(report_id, digest, file)
            file.seek(0)
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                while lines := await compute(size * 4, unpacked.readlines, CHUNK):
                    for line in lines:
                        yield line

    async def has(self, report_id: str) -> bool:
        """Return whether the store has anything under this name, sound or not.

        Raises:
            ReportStoreError: the store cannot be reached or refuses.
        """
        with self._store_errors():
            try:
                await obstore.head_async(self._store, report_id)
            except _MISSING:
                return False
        return True

    async def read_claims(self, report_id: str) -> tuple[ReportHeader, AsyncGenerator[ReportClaim, None]]:
        """Return the report's header and an iterator over its claims, which decodes them on demand.

        Raises:
            ReportError: as `read`, or a line is malformed; the iterator raises it as well.
            ReportStoreError: as `read`.
        """
        lines = self.read(report_id)
        first = await anext(lines, b"")
        with _naming(report_id, 1):
            header = decode_header(first)
        return header, _claims(report_id, lines)

    async def _put(self, path: str, file: IO[bytes], size: int) -> bool:
        """Store the file. Returns False if the path exists already."""
        file.seek(0)
        if size <= _ONE_PUT:
            try:
                # Atomic: of two concurrent calls, one creates the file and the other fails because it exists.
                await obstore.put_async(self._store, path, file.read(), mode="create")
                return True
            except AlreadyExistsError:
                return False
            except _UNSUPPORTED:
                file.seek(0)  # a store without conditional puts, with AWS_CONDITIONAL_PUT=disabled
        try:
            await obstore.head_async(self._store, path)
            return False
        except _MISSING:
            pass
        # Two concurrent calls put the same content here, and each file is complete when it appears.
        await self._overwrite(path, file, size)
        return True

    async def _overwrite(self, path: str, file: IO[bytes], size: int) -> None:
        file.seek(0)
        if size <= _ONE_PUT:
            await obstore.put_async(self._store, path, file.read(), mode="overwrite")
        else:
            await obstore.put_async(self._store, path, file, use_multipart=True, chunk_size=_ONE_PUT, max_concurrency=2)

    async def _fetch_checked(self, path: str, digest: str, file: IO[bytes]) -> int:
        """Copy the stored bytes into `file` and check their content's digest. Returns the number of bytes."""
        size = await self._fetch(path, file)
        # Compressed JSON Lines unpack to about four times their size.
        found = await compute(size * 4, content_digest, file, path)
        if found != digest:
            raise ReportError(f"report {path} was changed: its content's SHA-256 is {found}")
        return size

    async def _fetch(self, path: str, file: IO[bytes]) -> int:
        """Copy the stored bytes into `file`. Returns their number."""
        size = 0
        with self._store_errors():
            try:
                result = await obstore.get_async(self._store, path)
            except _MISSING as error:
                if "NoSuchBucket" in str(error):
                    raise  # the store is missing, which can be transient
                raise MissingReportError(f"report {path} is missing from the report store {self._url}") from None
            async for chunk in result.stream(min_chunk_size=SPOOL):
                await compute(len(chunk), file.write, chunk)
                size += len(chunk)
        return size

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        if self._folder is not None and not self._folder.is_dir():
            raise ReportStoreError(f"report store {self._url}: the folder {self._folder} is gone")
        try:
            yield
        except (BaseError, OSError, *_UNSUPPORTED) as error:
            raise ReportStoreError(f"report store {self._url}: {first_line(error)}") from error


async def _claims(report_id: str, lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[ReportClaim, None]:
    number = 1
    async for line in lines:
        number += 1
        with _naming(report_id, number):
            claim = decode_claim(line)
        yield claim


@contextmanager
def _naming(report_id: str, line: int) -> Iterator[None]:
    try:
        yield
    except ReportError as error:
        raise ReportError(f"report {report_id}, line {line}: {error}") from error
