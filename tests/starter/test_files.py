"""Reading CSV, JSON Lines and Parquet: every row has its line, every fault is reported, memory stays flat."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.errors import InputError
from billing.usage.columns import ColumnNames
from billing.usage.rows import RowFault
from sources.files.rows import Row
from tests.starter.files import AsTheyAre, read_rows, refusal, write_parquet

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_content(name: str, content: str | bytes) -> list[Row | RowFault]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_rows(path))

    return read_content


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
        (b"id;no,te\n1;a\n", "line 1 has commas and semicolons: put column names that contain one of them in double"),
        (b"id\tno,te|\n1\ta\n", "line 1 has commas and tabs and bars: "),
        ("id,note\n1,a\n".encode("utf-16"), "this is not UTF-8 text; save it as UTF-8"),
        ("id,note\n1,a\n".encode("utf-16-le"), "this is not UTF-8 text; save it as UTF-8"),
        ("ïd,note\n".encode("latin-1"), "line 1 is not UTF-8 text; save the file as UTF-8"),
        (b"PK\x03\x04\x00\x00garbage", "this is a spreadsheet or an archive; save it as CSV"),
        (b"PAR1\x00\x00garbage", "this is a Parquet file; name it *.parquet, or use --format parquet"),
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
    columns = AsTheyAre()
    assert len(list(read_rows(path, columns))) == 1
    assert columns.seen == [["id", "Note"]]
    with pytest.raises(InputError, match=f"^{path}: column 'attribution_id' is missing; .*'Note' is not known"):
        next(read_rows(path, ColumnNames("instances", {})))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_header_says_what_separates_the_columns(read: Any, separator: str, name: str) -> None:
    content = 'id,"no;te|,"\n1,"a;b|,\n\t"\n'.replace("id,", f"id{separator}").replace("1,", f"1{separator}")
    assert read(name, content) == [(2, {"id": "1", "no;te|,": "a;b|,\n\t"})]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines(read: Any, name: str) -> None:
    rows = read(name, '\ufeff{"id":"1","n":null}\n\n{"id":2}\r\n{"id":"\\u00e4"}')
    assert rows == [(1, {"id": "1", "n": None}), (3, {"id": 2}), (4, {"id": "ä"})]


def test_a_field_that_a_json_object_has_twice_is_refused(read: Any) -> None:
    rows = read("a.jsonl", '{"id":"1","n":1,"n":2}\n{"id":"2","n":{"n":1}}')
    assert rows == [RowFault(1, "row", "has two fields 'n'"), (2, {"id": "2", "n": {"n": 1}})]


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


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz", ".csv"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id\n1\n")
    assert "use one of .csv, .tsv, .jsonl, .ndjson, .parquet (text also with .gz)" in refusal(tmp_path / name)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_missing_file_is_refused(tmp_path: Path, ending: str) -> None:
    assert refusal(tmp_path / f"none.{ending}") == "cannot be read: No such file or directory"


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
    count = 40_000
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
    assert peak < 3_000_000  # the rows together are some 8 MB
