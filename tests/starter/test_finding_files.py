"""Where rows come from: several files, folders, buckets, standard input; compressed or not, whole or cut off."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pyarrow
import pytest
from pyarrow import parquet

from billing.errors import InputError
from billing.usage.columns import ColumnNames
from billing.usage.rows import RowFault
from sources.files.finding import Format, ImportFiles, find_files
from sources.files.reading import Places, read_rows
from tests.support.bucket import ServedObjects, serving_bucket

HEADER = "id,account,start\n"
ENDINGS = ".csv, .tsv, .jsonl, .ndjson, .parquet (text also with .gz)"
COLUMNS = ColumnNames("instances", {})


def csv_of(*ids: str) -> bytes:
    return (HEADER + "".join(f"{one},a,2022-05-01T00:00:00Z\n" for one in ids)).encode()


def ids_of(sources: ImportFiles, places: Places | None = None) -> Iterator[object]:
    for row in read_rows(sources.files, COLUMNS, places or Places()):
        assert not isinstance(row, RowFault)
        yield row[1]["id"]


def ids(*names: object, given: Format | None = None) -> list[object]:
    return list(ids_of(find_files([str(name) for name in names], given)))


def test_a_folder_is_read_in_name_order_with_its_sub_folders(tmp_path: Path) -> None:
    for name in ("b.csv", "a.JSONL", "2022/02/x.tsv", "2022/01/y.csv.gz", ".hidden.csv", ".git/z.csv", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(csv_of(name))
    (tmp_path / "in/a.JSONL").write_text('{"id":"a.JSONL"}')
    (tmp_path / "in/2022/01/y.csv.gz").write_bytes(gzip.compress(csv_of("y")))
    (tmp_path / "in/link").symlink_to(tmp_path)
    sources = find_files([str(tmp_path / "in")])
    assert list(ids_of(sources)) == ["a.JSONL", "b.csv", "y", "2022/02/x.tsv"]
    assert sources.warnings == [
        f"{tmp_path}/in/link is left out: it is a link to a folder",
        f"{tmp_path}/in/notes.txt is left out: its ending is none of {ENDINGS}",
    ]


def test_lines_of_several_files_are_named_with_their_files(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(csv_of("1", "2"))
    (tmp_path / "b.csv").write_bytes(csv_of("1", "2") + b"3\n")
    sources, places = find_files([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]), Places(several=True)
    rows = list(read_rows(sources.files, COLUMNS, places))
    numbers = [row.line if isinstance(row, RowFault) else row[0] for row in rows]
    assert numbers == [2, 3, 5, 6, 7]
    assert [places.find(number)[1] for number in numbers] == [2, 3, 2, 3, 4]
    assert places.name(7) == f"{tmp_path}/b.csv, line 4"
    assert places.name(3) == f"{tmp_path}/a.csv, line 3"
    assert places.reason(RowFault(5, "id", "differs in line 2", 2)) == f"differs in {tmp_path}/a.csv, line 2"


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "A.CSV.GZ"])
def test_compressed_text_is_unpacked_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(csv_of("1")) + gzip.compress(csv_of("2").removeprefix(HEADER.encode())))
    assert ids(path) == ["1", "2"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_of_a_compressed_file_that_is_cut_off_all_whole_rows_are_read(tmp_path: Path, ending: str) -> None:
    lines = [f"{os.urandom(300).hex()}" for _ in range(2000)]
    text = csv_of(*lines) if ending == "csv" else "".join(f'{{"id":"{one}"}}\n' for one in lines).encode()
    whole = gzip.compress(text)
    path = tmp_path / f"a.{ending}.gz"
    for size in (len(whole) // 2, len(whole) - 1, len(whole) - 9):
        path.write_bytes(whole[:size])
        found: list[object] = []
        with pytest.raises(InputError, match=f"^{path}: the compressed file is cut off: its end is missing$"):
            found += ids_of(find_files([str(path)]))
        assert found == lines[: len(found)]
        assert len(found) >= 2000 * size // len(whole) - 2
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    with pytest.raises(InputError, match="the compressed file is damaged: CRC check failed"):
        ids(path)
    path.write_bytes(whole[:5])
    with pytest.raises(InputError, match="the compressed file is cut off"):
        ids(path)


def test_a_compressed_file_that_unpacks_to_a_gigabyte_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    block = b"x," * 2**24
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(csv_of("1"))
        for _ in range(32):
            file.write(block)
    del block
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="line 3 is longer than 1048576 bytes"):
            ids(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def through_a_pipe(monkeypatch: pytest.MonkeyPatch, content: bytes, given: Format | None) -> list[object]:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(content)

    thread = Thread(target=write)
    thread.start()
    try:
        with os.fdopen(reading) as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            return ids("-", given=given)
    finally:
        thread.join()


def test_standard_input_has_any_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"id": ["1", "2"], "account": ["a", "a"], "start": ["2022-05-01T00:00:00Z"] * 2}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    packed = (tmp_path / "a.parquet").read_bytes()
    text = csv_of("1", "2")
    lines = b'{"id":"1"}\n{"id":"2"}\n'
    assert through_a_pipe(monkeypatch, b"\xef\xbb\xbf" + text, None) == ["1", "2"]
    assert through_a_pipe(monkeypatch, gzip.compress(text), "csv") == ["1", "2"]
    assert through_a_pipe(monkeypatch, lines, "jsonl") == ["1", "2"]
    assert through_a_pipe(monkeypatch, packed, "parquet") == ["1", "2"]
    faults: list[tuple[bytes, Format | None, str]] = [
        (b"", "csv", "-: the file is empty"),
        (b"", "parquet", "-: the file is empty"),
        (packed, None, "-: this is a Parquet file; name it "),
        (gzip.compress(packed), "parquet", "-: this is compressed by gzip, and Parquet is compressed inside"),
    ]
    for content, given, message in faults:
        with pytest.raises(InputError, match=message):
            through_a_pipe(monkeypatch, content, given)
    with pytest.raises(InputError, match="standard input is named twice"):
        find_files(["-", "a.csv", "-"])


def test_a_given_format_counts_for_any_ending(tmp_path: Path) -> None:
    (tmp_path / "export.txt").write_bytes(csv_of("1"))
    assert ids(tmp_path / "export.txt", given="csv") == ["1"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedObjects]:
    with serving_bucket() as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served


def test_objects_of_a_bucket_are_read_by_url_and_by_prefix(bucket: ServedObjects, tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"id": ["3"], "account": ["a"], "start": [""]}), tmp_path / "c.parquet")
    bucket.objects = {
        "exports/b 2.csv.gz": gzip.compress(csv_of("2")),
        "exports/a.csv": csv_of("1"),
        "exports/sub/c.parquet": (tmp_path / "c.parquet").read_bytes(),
        "exports/.hidden.csv": csv_of("4"),
        "exports/_SUCCESS": b"",
        "other/d.csv": csv_of("5"),
    }
    assert ids("s3://usage/exports/b 2.csv.gz", "s3://usage/other/d.csv") == ["2", "5"]
    sources = find_files(["s3://usage/exports/"])
    assert [source.name for source in sources.files] == [
        "s3://usage/exports/a.csv", "s3://usage/exports/b 2.csv.gz", "s3://usage/exports/sub/c.parquet",
    ]  # fmt: skip
    assert [warning.partition(" ")[0] for warning in sources.warnings] == ["s3://usage/exports/_SUCCESS"]
    assert list(ids_of(sources)) == ["1", "2", "3"]
    assert ids("s3://usage/none/") == []


def test_an_object_that_cannot_be_read_is_one_clear_line(
    bucket: ServedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"^s3://usage/none\.csv: there is no such object$"):
        ids("s3://usage/none.csv")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    for name in ("s3://usage/none.csv", "s3://usage/"):
        with pytest.raises(InputError, match=f"^{name}: cannot be read: [^\n]+$"):
            ids(name)


def test_of_an_object_that_breaks_off_all_whole_rows_are_read(bucket: ServedObjects) -> None:
    bucket.objects = {"a.csv": csv_of(*(f"{number:0200}" for number in range(20_000)))}
    bucket.cut = {"a.csv": 3_000_000}
    found: list[object] = []
    with pytest.raises(InputError, match=r"^s3://usage/a\.csv: cannot be read: [^\n]+$"):
        found += ids_of(find_files(["s3://usage/a.csv"]))
    assert found == [f"{number:0200}" for number in range(len(found))]
    assert len(found) > 4000


def test_memory_stays_flat_for_an_object_too(bucket: ServedObjects) -> None:
    bucket.objects = {"big.csv": csv_of(*(f"{number:0200}" for number in range(100_000)))}
    tracemalloc.start()
    try:
        assert sum(1 for _ in ids_of(find_files(["s3://usage/big.csv"]))) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000  # the object has 22 MB
