"""Rows of Parquet, numbered from 1."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import IO, Any

from billing.errors import InputError
from billing.usage.rows import RowFault
from sources.files.rows import Columns, Picker, Row, distinct

_BATCH = 2048  # rows held at once
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}


def read_parquet(file: IO[bytes], columns: Columns) -> Iterator[Row | RowFault]:
    """Yield the rows of a file that can be searched, each with its number."""
    # Imported only here: it is slow to import, and most commands never need it.
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as opened:
            picker = Picker(columns.of_file(distinct(list(opened.schema_arrow.names))))
            line = 0
            for batch in opened.iter_batches(batch_size=_BATCH, use_threads=False):
                values_of = [_values(column) for column in batch.columns]
                for values in zip(*values_of, strict=True):
                    line += 1
                    yield line, picker.fields(values)
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # from the system: Arrow's own errors have no number
        raise InputError(f"this is not a valid Parquet file: {' '.join(str(error).split())[:200]}") from error


def _values(column: Any) -> list[object]:
    import pyarrow

    if not pyarrow.types.is_timestamp(column.type):
        return list(column.to_pylist())
    # Read as integers: no digit is lost, and Arrow needs no time zone files. Timestamps with a zone are in UTC.
    zone = None if column.type.tz is None else UTC
    nanoseconds = _NANOSECONDS[column.type.unit]
    counts = column.cast(pyarrow.int64()).to_pylist()
    return [None if count is None else _time(count * nanoseconds, zone) for count in counts]


def _time(nanoseconds: int, zone: tzinfo | None) -> datetime | str:
    """Return the time that long after 1970; as text, which parsing refuses and shows, if `datetime` cannot hold it."""
    microseconds, rest = divmod(nanoseconds, 1000)
    try:
        instant = _EPOCH.replace(tzinfo=zone) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{nanoseconds} ns after 1970"
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}{rest:03}{'Z' if zone else ''}" if rest else instant
