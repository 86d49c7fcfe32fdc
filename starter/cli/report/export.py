"""Export a usage report as CSV, Parquet or JSON Lines, streamed, so that memory does not grow with the report."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from billing.report.canonical import format_decimal, format_instant
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportLine, parse_report_id
from starter.cli import common
from starter.sheets import spreadsheet_text
from storage.reports.store import ReportStore

COLUMNS = (
    "invoice_key",
    "attribution_id",
    "billing_period",
    "line_no",
    "workspace_class",
    "rate",
    "price_per_credit",
    "currency",
    "instance_id",
    "workspace_id",
    "project_id",
    "from",
    "to",
    "duration_us",
    "quantity",
)
"""The columns of CSV and Parquet. `rate` is in credits per minute; `from` and `to` are instants in UTC."""

_BATCH = 5000  # rows


async def write(store: ReportStore, report_id: str, format_: str, file: IO[bytes]) -> int:
    """Write the report to a binary file. Returns the number of its claims.

    Raises:
        ReportError: the report is missing, truncated or changed.
        ReportStoreError: the store cannot be reached.
        CommandError: the file cannot be written.
    """
    try:
        return await FORMATS[format_](store, report_id, file)
    except BrokenPipeError:
        raise  # the reader has closed the pipe
    except OSError as error:
        raise common.CommandError(f"cannot write the export: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears at `path` only when it is complete; on an error, nothing is left behind.

    Raises:
        CommandError: the file cannot be written there.
    """
    with _writing(path):
        if path.exists() and not path.is_file():  # such as a device or a pipe
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            Path(name).chmod(0o666 & ~_umask())
            os.replace(name, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise common.CommandError(f"cannot write {path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


async def _write_jsonl(store: ReportStore, report_id: str, file: IO[bytes]) -> int:
    lines = 0
    async with aclosing(store.read(report_id)) as content:
        async for line in content:
            file.write(line)
            lines += 1
    return lines - 1


async def _write_csv(store: ReportStore, report_id: str, file: IO[bytes]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    count = 0
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        async for row in _rows(store, report_id):
            writer.writerow([_csv_cell(row[name]) for name in COLUMNS])
            count += 1
        text.flush()
    finally:
        with suppress(OSError, ValueError):
            text.detach()  # the file is not ours to close
    return count


async def _write_parquet(store: ReportStore, report_id: str, file: IO[bytes]) -> int:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = _schema(pyarrow)
    batch: list[Mapping[str, Any]] = []
    count = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        async for row in _rows(store, report_id):
            batch.append(row)
            count += 1
            if len(batch) == _BATCH:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
                batch.clear()
        writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
    return count


async def _rows(store: ReportStore, report_id: str) -> AsyncIterator[dict[str, Any]]:
    header, claims = await store.read_claims(report_id)
    check = ReportCheck(header, parse_report_id(report_id))
    lines = {line.line_no: _line_cells(header, line) for line in header.lines}
    async with aclosing(claims):
        async for claim in claims:
            check.add(claim)
            yield {**lines[claim.line_no], **_claim_cells(claim)}
    check.finish()


def _line_cells(header: ReportHeader, line: ReportLine) -> dict[str, Any]:
    rated = line.rated
    return {
        "invoice_key": header.invoice_key,
        "attribution_id": header.attribution_id,
        "billing_period": header.billing_period,
        "line_no": line.line_no,
        "workspace_class": rated.workspace_class,
        "rate": rated.credits_per_minute,
        "price_per_credit": rated.price_per_credit,
        "currency": header.currency,
    }


def _claim_cells(claim: ReportClaim) -> dict[str, Any]:
    return {
        "instance_id": claim.instance_id,
        "workspace_id": claim.workspace_id,
        "project_id": claim.project_id,
        "from": claim.start,
        "to": claim.end,
        "duration_us": claim.duration_us,
        "quantity": claim.quantity,
    }


def _csv_cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, str):
        return spreadsheet_text(value)
    return value if value is None or isinstance(value, int) else format_instant(value)


def _schema(pyarrow: Any) -> Any:
    kinds = {
        "line_no": pyarrow.int32(),
        "rate": pyarrow.decimal128(38, 12),
        "price_per_credit": pyarrow.decimal128(38, 12),
        "from": pyarrow.timestamp("us", tz="UTC"),
        "to": pyarrow.timestamp("us", tz="UTC"),
        "duration_us": pyarrow.int64(),
        "quantity": pyarrow.decimal128(38, 12),
    }
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])


FORMATS: Mapping[str, Callable[[ReportStore, str, IO[bytes]], Awaitable[int]]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}
