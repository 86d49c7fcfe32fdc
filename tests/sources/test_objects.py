"""Files in folders and buckets: each object is listed with what tells its content apart, and read row by row."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from billing.errors import InputError
from sources.config import FilesSource
from sources.errors import Failure, SourceError
from sources.files.finding import Format
from sources.objects import FilesReader
from sources.urls import SourceUrl
from tests.support.bucket import serving_bucket

HEADER = "id,account,start\n"
PLACE = "sources.toml: source 'exports'"


def source_of(url: str, file_format: Format | None = None) -> FilesSource:
    place = SourceUrl(url, f"{PLACE}: url", Path("/"))
    lag = timedelta(hours=26)
    return FilesSource(name="exports", place=PLACE, url=place, every=lag, lag=lag, format=file_format)


def csv_of(*ids: str) -> str:
    return HEADER + "".join(f"{one},a,2022-05-01 10:00:00\n" for one in ids)


def listed(url: str) -> dict[str, tuple[int, str]]:
    return {found.name: (found.size, found.etag) for found in FilesReader(source_of(url)).objects().files}


def test_a_folder_has_each_file_with_its_size_and_an_etag_that_changes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b/c.csv"
    second.parent.mkdir()
    first.write_text(csv_of("1"))
    second.write_text(csv_of("2"))
    (tmp_path / "notes.txt").write_text("")
    before = listed(str(tmp_path))
    assert list(before) == [str(first), str(second)]
    assert before[str(first)][0] == len(csv_of("1"))
    assert listed(tmp_path.as_uri()) == before
    second.write_text(csv_of("3"))
    os.utime(second, ns=(0, second.stat().st_mtime_ns + 1))
    after = listed(str(tmp_path))
    assert after[str(first)] == before[str(first)]
    assert after[str(second)][1] != before[str(second)][1]


def test_a_bucket_has_each_object_with_its_size_and_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_bucket() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        bucket.objects = {"exports/a.csv": csv_of("1", "2").encode(), "other/b.csv": b"x"}
        reader = FilesReader(source_of("s3://usage/exports"))
        (found,) = reader.objects().files
        assert (found.name, found.size) == ("s3://usage/exports/a.csv", len(csv_of("1", "2")))
        before = found.etag
        assert before
        assert [row.id for page in reader.pages(found, 10) for row in page.rows] == ["1", "2"]
        bucket.objects["exports/a.csv"] = csv_of("1", "3").encode()
        (found,) = reader.objects().files
        assert found.etag != before
        bucket.cut["exports/a.csv"] = 30
        with pytest.raises(InputError, match=r"source 'exports': s3://usage/exports/a\.csv: "):
            list(reader.pages(found, 10))


def test_rows_come_in_pages_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_of("1", "2") + "3,a,soon\n,a,2022-05-01 10:00:00\n" + "4,a\n")
    reader = FilesReader(source_of(str(tmp_path)))
    (found,) = reader.objects().files
    pages = list(reader.pages(found, 2))
    assert [page.count for page in pages] == [2, 2, 1]
    assert [(row.line, row.id) for page in pages for row in page.rows] == [(2, "1"), (3, "2")]
    refused = [(row.instance_id, row.faults[0].line, row.faults[0].column) for page in pages for row in page.refused]
    assert refused == [("3", 4, "started_time"), (None, 5, "id"), (None, 6, "row")]


def test_an_object_that_is_wrong_says_so_and_keeps_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,account\n1,a\n")
    (tmp_path / "b.csv").write_text(csv_of("1", "2") + "x" * 2_000_000)
    reader = FilesReader(source_of(str(tmp_path)))
    wrong, long = reader.objects().files
    with pytest.raises(InputError) as caught:
        list(reader.pages(wrong, 10))
    assert str(caught.value) == f"{PLACE}: {tmp_path}/a.csv: column 'started_time' is missing"
    pages = reader.pages(long, 10)
    assert [row.id for row in next(pages).rows] == ["1", "2"]
    with pytest.raises(InputError, match="line 4 is longer than"):
        next(pages)


def test_a_format_is_that_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "export-0001").write_text(csv_of("1"))
    assert FilesReader(source_of(str(tmp_path))).objects().files == []
    reader = FilesReader(source_of(str(tmp_path), "csv"))
    (found,) = reader.objects().files
    assert [row.id for page in reader.pages(found, 10) for row in page.rows] == ["1"]


def test_a_folder_that_is_missing_and_a_read_that_is_cancelled(tmp_path: Path) -> None:
    reader = FilesReader(source_of(str(tmp_path / "gone")))
    with pytest.raises(SourceError) as caught:
        reader.objects()
    assert str(caught.value) == f"{PLACE}: {tmp_path}/gone: cannot be read: there is no such folder"
    assert caught.value.transient
    (tmp_path / "a.csv").write_text(csv_of("1", "2"))
    reader = FilesReader(source_of(str(tmp_path)))
    (found,) = reader.objects().files
    pages = reader.pages(found, 1)
    next(pages)
    reader.cancel()
    with pytest.raises(SourceError) as caught:
        next(pages)
    assert caught.value.failure is Failure.CANCELLED
