"""Export a usage report as CSV, XLSX, JSON, Parquet or JSON Lines, streamed: memory does not grow with the report."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from decimal import Decimal
from typing import IO, Any

from billing.money import to_major
from billing.report.canonical import format_credits, format_decimal, format_instant
from starter.cli import common
from starter.cli.report.book import write_book
from starter.cli.report.rows import ExportedRow, ReportReading
from starter.sheets import Sheet, SheetColumn, write_csv

COLUMNS = (
    "row",
    "invoice_key",
    "attribution_id",
    "account_name",
    "billing_period",
    "line_no",
    "workspace_class",
    "instance_id",
    "workspace_id",
    "project_id",
    "from",
    "to",
    "duration_us",
    "minutes",
    "quantity",
    "rate",
    "credits",
    "price_per_credit",
    "amount",
    "currency",
    "note",
)
"""The columns of CSV, JSON and Parquet. `rate` is in credits per minute; `from` and `to` are instants in UTC."""

_RENAMED = {"start": "from", "end": "to"}
_BATCH = 5000  # rows


async def write(reading: ReportReading, format_: str, file: IO[bytes]) -> int:
    """Write the report to a binary file. Returns the number of its claims.

    Raises:
        ReportError: the report is missing, truncated or changed.
        ReportStoreError: the store cannot be reached.
        CommandError: the file cannot be written.
    """
    try:
        await FORMATS[format_](reading, file)
    except BrokenPipeError:
        raise  # the reader has closed the pipe
    except OSError as error:
        raise common.CommandError(f"cannot write the export: {error.strerror or error}") from error
    return reading.claims


async def _write_jsonl(reading: ReportReading, file: IO[bytes]) -> None:
    lines = 0
    async with aclosing(reading.store.read(reading.report.report_id)) as content:
        async for line in content:
            file.write(line)
            lines += 1
    reading.claims = lines - 1


async def _write_csv(reading: ReportReading, file: IO[bytes]) -> None:
    async def cells() -> AsyncIterator[list[Any]]:
        async for row in reading.rows():
            values = _values(row)
            yield [_short(values[name]) for name in COLUMNS]

    await write_csv(Sheet("Usage", [SheetColumn(name) for name in COLUMNS], cells()), file)


async def _write_json(reading: ReportReading, file: IO[bytes]) -> None:
    """Write one document: the rows, then the totals that they add up to."""
    separator = '{\n  "rows": [\n'
    async for row in reading.rows():
        document = {name: _plain(value) for name, value in _values(row).items()}
        file.write((separator + "    " + json.dumps(document, ensure_ascii=False)).encode())
        separator = ",\n"
    header = reading.header
    assert header is not None  # the rows have been read
    totals = {
        "report_id": reading.report.report_id,
        "invoice_key": header.invoice_key,
        "attribution_id": header.attribution_id,
        "account_name": reading.report.account_name,
        "billing_period": header.billing_period,
        "currency": header.currency,
        "credits": format_credits(header.credits),
        "amount": f"{to_major(header.amount, header.currency):f}",
    }
    end = json.dumps(totals, indent=2, ensure_ascii=False).removeprefix("{\n")
    file.write(("\n  ],\n" + end + "\n").encode())


async def _write_parquet(reading: ReportReading, file: IO[bytes]) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = _schema(pyarrow)
    batch: list[Mapping[str, Any]] = []
    with ParquetWriter(file, schema, compression="zstd") as writer:
        async for row in reading.rows():
            batch.append(_values(row))
            if len(batch) == _BATCH:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
                batch.clear()
        writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))


def _values(row: ExportedRow) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in asdict(row).items()}


def _short(value: Any) -> Any:
    """Return rates, prices and quantities without the zeros that they are stored with."""
    return Decimal(format_decimal(value)) if isinstance(value, Decimal) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format_decimal(value)
    return value if value is None or isinstance(value, int | str) else format_instant(value)


def _schema(pyarrow: Any) -> Any:
    exact = pyarrow.decimal128(38, 12)
    kinds = {
        "line_no": pyarrow.int32(),
        "from": pyarrow.timestamp("us", tz="UTC"),
        "to": pyarrow.timestamp("us", tz="UTC"),
        "duration_us": pyarrow.int64(),
        **dict.fromkeys(("minutes", "quantity", "rate", "credits", "price_per_credit", "amount"), exact),
    }
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])


FORMATS: Mapping[str, Callable[[ReportReading, IO[bytes]], Awaitable[None]]] = {
    "csv": _write_csv,
    "xlsx": write_book,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}
BINARY = frozenset(["xlsx", "parquet"])
"""The formats that a terminal cannot show."""
