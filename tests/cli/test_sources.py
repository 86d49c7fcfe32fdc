"""`perdure sources`, and the sources that `perdure schedule set` starts and ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts import workflow_ids
from tests.cli.conftest import Perdure
from tests.support.system import System
from tests.support.until import until

QUERY = "SELECT * FROM instance WHERE updated_at >= :since ORDER BY updated_at, id"
ROWS = [
    ("i-1", "team:a", "2022-05-02 10:00:00", "2022-05-02 11:00:00", "2022-05-02 11:00:00"),
    ("i-2", "team:a", "2022-05-03 10:00:00", None, "2022-05-03 10:00:00"),
    ("i-3", "team:b", "not a time", None, "2022-05-04 10:00:00"),
]


def configure(folder: Path, *names: str) -> None:
    """Write sources.toml with these sources, which all read product.db."""
    tables = (
        f'[[source]]\nname = "{name}"\nkind = "sql"\nurl = "sqlite:///product.db"\nevery = "1h"\nquery = "{QUERY}"\n'
        for name in names
    )
    (folder / "sources.toml").write_text("\n".join(tables))


def fill(folder: Path, *rows: tuple[str | None, ...]) -> None:
    with sqlite3.connect(folder / "product.db") as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS instance "
            "(id TEXT PRIMARY KEY, account TEXT, started_at TEXT, stopped_at TEXT, updated_at TEXT)"
        )
        connection.executemany("INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()


async def test_check_shows_the_first_rows_as_they_would_be_imported(perdure: Perdure) -> None:
    assert (await perdure("sources", "check", "product")).error.startswith("sources.toml does not exist: write it")
    fill(perdure.cwd, *ROWS)
    configure(perdure.cwd, "product")
    checked = await perdure("sources", "check", "product")
    assert checked.status == 4
    assert checked.out.startswith("product: 3 rows of the first 10, as they would be imported\n")
    assert "i-1" in checked.out
    assert "2022-05-02 11:00" in checked.out
    assert checked.err.startswith("refused: i-3: started_time: ")
    (document,) = (await perdure("sources", "check", "--all", "--json")).document_of_failure
    assert [row["id"] for row in document["rows"]] == ["i-1", "i-2"]
    assert (document["error"], document["notes"]) == (None, [])
    fill(perdure.cwd, ("i-3", "team:b", "2022-05-04 10:00:00", None, "2022-05-04 10:00:00"))
    assert (await perdure("sources", "check", "product")).status == 0
    assert "has no source 'prod'" in (await perdure("sources", "check", "prod")).error
    assert (await perdure("sources", "check")).error == "name one source, or use --all"
    (perdure.cwd / "product.db").unlink()
    assert "product.db" in (await perdure("sources", "check", "product")).error


async def start(perdure: Perdure, system: System, *names: str) -> None:
    """Write sources.toml, start the workflows of its sources and their worker, and wait until all have been read."""
    fill(perdure.cwd, *ROWS)
    configure(perdure.cwd, *names)
    system.settings = system.settings.model_copy(update={"sources": perdure.cwd / "sources.toml"})
    made = (await perdure("schedule", "set", "--json")).document
    assert (made["sources"], made["ended_sources"]) == (list(names), [])
    await system.start("sources")

    async def all_read() -> bool:
        return all(each["status"] == "ok" for each in (await perdure("sources", "list", "--json")).document)

    await until(all_read)


@pytest.mark.waits
async def test_list_and_sync(perdure: Perdure, system: System) -> None:
    assert "no sources yet" in (await perdure("sources", "list")).out
    assert (await perdure("sources", "list", "product")).error.startswith("there is no source 'product'")
    await start(perdure, system, "product")
    (product,) = (await perdure("sources", "list", "--json")).document
    assert (product["name"], product["rows"], product["new"], product["waiting"]) == ("product", 3, 2, 1)
    assert "i-3: started_time: " in (await perdure("sources", "list", "product")).out
    fill(perdure.cwd, ("i-3", "team:b", "2022-05-04 10:00:00", None, "2022-05-05 10:00:00"))
    synced = await perdure("sources", "sync", "product", "--wait")
    assert synced.status == 0, synced.err
    assert synced.out.startswith("2 rows read: 1 new, 0 stale, 0 refused.\nComplete up to ")
    assert (await perdure("sources", "list", "product", "--json")).document["faults"] == []
    since = ("--since", "2022-05-01T00:00:00Z")
    again = (await perdure("sources", "sync", "product", "--wait", *since, "--json")).document
    assert (again["rows"], again["new"]) == (3, 0)
    assert (await perdure("sources", "sync", "product")).out.startswith("Requested. ")
    (perdure.cwd / "product.db").unlink()
    failed = await perdure("sources", "sync", "product", "--wait")
    assert failed.status == 1
    assert "product.db" in failed.err
    assert "failing" in (await perdure("sources", "list")).out


@pytest.mark.waits
async def test_schedule_set_starts_and_ends_them(perdure: Perdure, system: System) -> None:
    await start(perdure, system, "product", "other")
    configure(perdure.cwd, "product")
    changed = await perdure("schedule", "set")
    assert "Source product: read from now on." in changed.out
    assert "Source other: no longer read; what it reported stays." in changed.out
    handle = system.client.get_workflow_handle(workflow_ids.source("other"))

    async def ended() -> bool:
        return (await handle.describe()).status is WorkflowExecutionStatus.CANCELED

    await until(ended)
    assert [each["name"] for each in (await perdure("sources", "list", "--json")).document] == ["product"]
    assert (await perdure("sources", "sync", "other")).error.startswith("source other was removed: ")
    (perdure.cwd / "sources.toml").unlink()  # perhaps it is on another machine
    assert (await perdure("schedule", "set", "--json")).document["ended_sources"] == []
    (perdure.cwd / "sources.toml").write_text("")
    assert (await perdure("schedule", "set", "--json")).document["ended_sources"] == ["product"]
