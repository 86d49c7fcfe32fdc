"""Reading files: each object once, and an unreadable object stops no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sources.config import FilesSource
from sources.errors import SourceError
from sources.urls import SourceUrl
from storage.arrivals.faults import waiting_faults
from storage.arrivals.sources import load_source
from storage.postgres.database import Database
from tests.arrivals.reading import fetch, known, read_once

HEAD = "id,attribution_id,started_time,stopping_time"
ROW = "2022-05-02T10:00:00Z,2022-05-02T11:00:00Z"


@pytest.fixture
def exports(tmp_path: Path) -> FilesSource:
    return FilesSource(
        name="exports",
        place="sources.toml: source 'exports'",
        url=SourceUrl(str(tmp_path), "sources.toml: source 'exports': url", tmp_path),
        every=timedelta(hours=1),
        lag=timedelta(hours=26),
    )


def write(folder: Path, name: str, *rows: str) -> None:
    (folder / name).write_text("\n".join((HEAD, *rows)) + "\n")


async def test_each_object_is_read_once_and_again_when_it_changes(
    db: Database, exports: FilesSource, tmp_path: Path
) -> None:
    write(tmp_path, "1.csv", f"a,team:a,{ROW}", f"b,team:a,{ROW}")
    write(tmp_path, "2.csv", f"c,team:a,{ROW}")
    report, state = await read_once(db, exports)
    assert (report.tally.rows, report.tally.new, state.rows_read) == (3, 3, 3)
    assert state.read_at is not None
    assert state.complete_up_to is not None
    assert state.complete_up_to <= state.read_at - timedelta(hours=26) + timedelta(minutes=1)
    assert (await read_once(db, exports))[0].tally.rows == 0
    write(tmp_path, "2.csv", f"c,team:a,{ROW}", f"d,team:a,{ROW}")
    report, _ = await read_once(db, exports)
    assert (report.tally.rows, report.tally.new) == (2, 1)
    assert await known(db) == {"a", "b", "c", "d"}


async def test_an_object_that_cannot_be_read_stops_no_other(db: Database, exports: FilesSource, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("nonsense\n1\n")
    write(tmp_path, "2.csv", f"c,team:a,{ROW}")
    with pytest.raises(SourceError, match=r"1\.csv"):
        await read_once(db, exports)
    assert await known(db) == {"c"}
    assert (await load_source(db, "exports")).complete_up_to is None
    write(tmp_path, "1.csv", f"a,team:a,{ROW}")
    report, state = await read_once(db, exports)
    assert (report.tally.rows, state.complete_up_to is None) == (1, False)


async def test_a_line_without_an_instance_waits_until_its_file_is_read_again(
    db: Database, exports: FilesSource, tmp_path: Path
) -> None:
    write(tmp_path, "1.csv", f",team:a,{ROW}", f"b,team:a,{ROW}")
    _, state = await read_once(db, exports)
    (fault,) = [fault async for fault in waiting_faults(db, "exports", 10)]
    assert fault.subject == f"{tmp_path / '1.csv'}, line 2"
    assert state.faults == 1
    write(tmp_path, "1.csv", f"a,team:a,{ROW}", f"b,team:a,{ROW}")
    assert (await read_once(db, exports))[1].faults == 0


async def test_another_mapping_or_format_reads_the_objects_again(
    db: Database, exports: FilesSource, tmp_path: Path
) -> None:
    (tmp_path / "1.csv").write_text(f"{HEAD},tier,updated_at\na,team:a,{ROW},xl,2022-05-03T00:00:00Z\n")
    ignored = replace(exports, mapping={"tier": None})
    assert (await read_once(db, ignored))[0].tally.rows == 1
    assert (await read_once(db, ignored))[0].tally.rows == 0
    right = replace(exports, mapping={"tier": "workspace_class"})
    assert (await read_once(db, right))[0].tally.rows == 1
    assert (await fetch(db, "SELECT workspace_class FROM workspace_instance"))[0].workspace_class == "xl"
    assert (await read_once(db, right))[0].tally.rows == 0
    assert (await read_once(db, replace(right, format="csv")))[0].tally.rows == 1
    assert (await read_once(db, right))[0].tally.rows == 0, "what was read so once is not read a second time"
