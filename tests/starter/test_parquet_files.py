"""Reading Parquet: rows are numbered, values have their types, and times are exact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest

from billing.usage.parsing import parse_instance
from billing.usage.rows import InstanceRow, RowFault
from tests.starter.files import read_rows, refusal, write_parquet

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC)


def test_parquet_rows_are_numbered_and_typed(tmp_path: Path) -> None:
    columns = {
        "id": pyarrow.array(["1", "2", None], pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        "n": pyarrow.array([1, None, 3]),
        "b": pyarrow.array([b"x", b"y", None]),
        "at": pyarrow.array([NOON, None, NOON], pyarrow.timestamp("us", "America/New_York")),
    }
    rows = list(read_rows(write_parquet(tmp_path / "a.parquet", columns)))
    assert rows == [
        (1, {"id": "1", "n": 1, "b": b"x", "at": NOON}),
        (2, {"id": "2", "n": None, "b": b"y", "at": None}),
        (3, {"id": None, "n": 3, "b": None, "at": NOON}),
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_times_of_any_unit_are_exact(tmp_path: Path, unit: str) -> None:
    columns = {
        "id": ["1"],
        "creation_time": pyarrow.array([NOON], pyarrow.timestamp(unit, "UTC")),
        "started_time": pyarrow.array([NOON], pyarrow.timestamp(unit)),
    }
    rows = list(read_rows(write_parquet(tmp_path / "a.parquet", columns)))
    assert not isinstance(rows[0], RowFault)
    line, fields = rows[0]
    assert fields["creation_time"] == NOON
    faults = parse_instance(line, fields)
    assert isinstance(faults, list)
    assert [fault.reason for fault in faults] == [
        "2022-05-01T12:00:00 has no time zone; write it as 2022-05-01T12:00:00Z if it is UTC"
    ]


def test_parquet_nanoseconds_are_rounded_to_microseconds(tmp_path: Path) -> None:
    moments = [1_651_406_400_000_001_000, 1_651_406_400_000_001_499, 1_651_406_400_000_000_501]
    columns = {"id": ["1", "2", "3"], "started_time": pyarrow.array(moments, pyarrow.timestamp("ns", "UTC"))}
    rows = list(read_rows(write_parquet(tmp_path / "a.parquet", columns)))
    assert rows[0] == (1, {"id": "1", "started_time": NOON.replace(microsecond=1)})
    for row in rows:
        assert not isinstance(row, RowFault)
        parsed = parse_instance(*row)
        assert isinstance(parsed, InstanceRow)
        assert parsed.started_time == NOON.replace(microsecond=1)


def test_parquet_times_beyond_the_calendar_are_a_fault_of_their_row(tmp_path: Path) -> None:
    columns = {"id": ["1"], "started_time": pyarrow.array([2**62], pyarrow.timestamp("ms", "UTC"))}
    (row,) = read_rows(write_parquet(tmp_path / "a.parquet", columns))
    assert not isinstance(row, RowFault)
    assert isinstance(parse_instance(*row), list)


def test_files_that_are_no_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole = write_parquet(path, {"id": [str(n) for n in range(1000)]}).read_bytes()
    contents = [b"id\n1\n", b"PAR1", b"PAR1 garbage PAR1", whole[:-4], whole[: len(whole) // 2]]
    contents.append(whole[:20] + bytes(byte ^ 255 for byte in whole[20:400]) + whole[400:])
    for content in contents:
        path.write_bytes(content)
        assert refusal(path)
    path.write_bytes(b"")
    assert refusal(path) == "the file is empty"
