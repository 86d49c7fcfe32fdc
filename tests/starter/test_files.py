"""Reading CSV, JSON Lines and Parquet: every row has its line, every fault is reported, memory stays flat."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from billing.errors import InputError
from billing.usage.parsing import parse_instance, require_columns
from billing.usage.rows import InstanceRow, RowFault
from starter.cli.imports.files import Row, read_rows

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_content(name: str, content: str | bytes) -> list[Row | RowFault]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_rows(path))

    return read_content


def refusal(path: Path) -> str:
    """Return why the file is refused: one line that names the file."""
    with pytest.raises(InputError) as caught:
        list(read_rows(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_csv_rows_have_the_line_on_which_they_begin(read: Any) -> None:
    content = 'id,note\n1,a\n\n2,"b\nb, ""b"""\n3,c\n'
    assert read("a.csv", content) == [
        (2, {"id": "1", "note": "a"}),
        (4, {"id": "2", "note": 'b\nb, "b"'}),
        (6, {"id": "3", "note": "c"}),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"id,note\n1,\xc3\xa4\n",
        b"\xef\xbb\xbfid,note\n1,\xc3\xa4\n",
        b"id,note\r\n1,\xc3\xa4\r\n",
        b'\xef\xbb\xbf"id", note \r\n"1",\xc3\xa4',
    ],
)
def test_csv_as_spreadsheets_save_it(read: Any, content: bytes) -> None:
    assert read("a.CSV", content) == [(2, {"id": "1", "note": "ä"})]


def test_bad_csv_rows_are_reported_and_the_others_read(read: Any) -> None:
    rows = read("a.csv", b'id,note\n1\n2,b,c\n3,\xff\n4,"d"x\n5,e\n')
    assert [row if isinstance(row, tuple) else (row.line, row.reason) for row in rows] == [
        (2, "has 1 field; the header has 2 columns"),
        (3, "has 3 fields; the header has 2 columns"),
        (4, "is not UTF-8 text"),
        (5, "is not CSV: ',' expected after '\"'"),
        (6, {"id": "5", "note": "e"}),
    ]
    assert {row.column for row in rows[:4]} == {"row"}


def test_an_unclosed_quote_says_what_it_swallowed(read: Any) -> None:
    rows = read("a.csv", 'id,note\n1,a\n2,"b\n3,c\n4,d\n')
    assert rows[0] == (2, {"id": "1", "note": "a"})
    assert rows[1:] == [
        RowFault(3, "row", "is not CSV: unexpected end of data; everything up to line 5 was skipped as one row")
    ]


def test_an_unclosed_quote_in_a_long_file_does_not_swallow_it_all(read: Any) -> None:
    rows = read("a.csv", 'id,note\n1,"a\n' + "".join(f"{n},b\n" for n in range(100_000)))
    assert isinstance(rows[0], RowFault)
    assert "field larger than field limit" in rows[0].reason
    skipped = int(rows[0].reason.split("line ")[1].split()[0])
    assert rows[1] == (skipped + 1, {"id": str(skipped - 2), "note": "b"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\nid,note\n", "line 1 must name the columns"),
        (b",,\n1,2,3\n", "line 1 must name the columns"),
        (b"id,,note\n", "column 2 has no name"),
        (b"id,note,id\n", "there are two columns 'id'"),
        (b"id;note\n1;a\n", "the columns are separated by semicolons; write commas"),
        (b"id\tnote\n1\ta\n", "the columns are separated by tabs; write commas"),
        ("id,note\n1,a\n".encode("utf-16"), "this is not UTF-8 text; save it as UTF-8"),
        ("id,note\n1,a\n".encode("utf-16-le"), "this is not UTF-8 text; save it as UTF-8"),
        ("ïd,note\n".encode("latin-1"), "line 1 is not UTF-8 text; save the file as UTF-8"),
        (b"PK\x03\x04\x00\x00garbage", "this is not UTF-8 text; save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", "line 1 is not UTF-8 text; save the file as UTF-8"),
        (b"id,note\r1,a\r2,b\r", "line 1 is not a CSV header: new-line character seen in unquoted field"),
        (b'"id,note\n1,a\n', "line 1 is not a CSV header: unexpected end of data"),
        (b"id,note\n1," + b"a" * 2**20 + b"\n", "line 2 is longer than 1048576 bytes"),
    ],
)
def test_files_that_are_no_csv_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert refusal(path).startswith(message)


def test_a_header_alone_is_no_rows(read: Any) -> None:
    assert read("a.csv", "id,note\n") == []


def test_columns_are_checked_before_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,Note\n1,a\n")
    seen: list[Collection[str]] = []
    assert len(list(read_rows(path, seen.append))) == 1
    assert seen == [["id", "Note"]]
    with pytest.raises(InputError, match=f"^{path}: column 'attribution_id' is missing; .*'Note' is not known"):
        next(read_rows(path, partial(require_columns, "instances")))


def test_standard_input_is_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfid\n1\n")))
    assert list(read_rows(Path("-"))) == [(2, {"id": "1"})]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="-: the file is empty"):
        list(read_rows(Path("-")))


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines(read: Any, name: str) -> None:
    rows = read(name, '\ufeff{"id":"1","n":null}\n\n{"id":2}\r\n{"id":"\\u00e4"}')
    assert rows == [(1, {"id": "1", "n": None}), (3, {"id": 2}), (4, {"id": "ä"})]


def test_bad_json_lines_are_reported_and_the_others_read(read: Any) -> None:
    lines = [b'{"id":"1"', b"[1]", b"3", b'{"id":"\xff"}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"]
    lines += [b'"' + b"a" * (2**20 + 10) + b'"', b'{"id":"8"}']
    rows = read("a.jsonl", b"\n".join(lines))
    assert rows[-1] == (8, {"id": "8"})
    reasons = [
        "is not JSON: Expecting ',' delimiter, at character 11",
        "is not a JSON object",
        "is not a JSON object",
        "is not UTF-8 text",
        "is not usable JSON: maximum recursion depth exceeded",
        "is not usable JSON: Exceeds the limit",
        "is longer than 1048576 bytes",
    ]
    for number, (row, reason) in enumerate(zip(rows[:-1], reasons, strict=True), 1):
        assert (row.line, row.column) == (number, "row")
        assert row.reason.startswith(reason)


def test_json_lines_that_are_empty_or_binary_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for content, message in ((b"", "the file is empty"), (b"\0\1\2", "this is not UTF-8 text")):
        path.write_bytes(content)
        assert refusal(path).startswith(message)


def write_parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


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


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz", ".csv"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id\n1\n")
    assert "use one of .csv, .jsonl, .ndjson, .parquet" in refusal(tmp_path / name)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_no_file_is_refused(tmp_path: Path, ending: str) -> None:
    assert refusal(tmp_path / f"none.{ending}") == "cannot be read: No such file or directory"
    folder = tmp_path / f"folder.{ending}"
    folder.mkdir()
    assert refusal(folder).startswith("cannot be read: ")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(content=st.binary(max_size=300) | st.text(alphabet='a,"\n\r{}[]:1', max_size=80).map(str.encode))
def test_whatever_a_file_holds_rows_come_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"whatever.{ending}"
    path.write_bytes(content)
    try:
        rows = list(read_rows(path))
    except InputError:
        assert refusal(path)
    else:
        lines = [row.line if isinstance(row, RowFault) else row[0] for row in rows]
        assert lines == sorted(set(lines))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_memory_stays_flat(tmp_path: Path, ending: str) -> None:
    count = 100_000
    path = tmp_path / f"a.{ending}"
    names = [f"instance-{number:030}" for number in range(count)]
    if ending == "csv":
        path.write_text("id\n" + "\n".join(names))
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps({"id": name}) for name in names))
    else:
        write_parquet(path, {"id": names}, row_group_size=10_000)
    del names
    next(read_rows(path))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000  # the rows together are some 20 MB
