"""A change of `sources.toml` is registered while the worker runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from activities.sources.catalog import SourceCatalog
from activities.sources.registering import Registrar
from storage.arrivals.sources import list_sources
from storage.postgres.database import Database
from tests.support.until import until

SOURCE = '[[source]]\nname = "{}"\nkind = "sql"\nurl = "x.db"\nquery = "SELECT 1"\n'


async def test_a_changed_file_is_registered(db: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    file = tmp_path / "sources.toml"
    registrar = Registrar(db, SourceCatalog(file))
    await registrar.register()
    assert await list_sources(db) == []
    running = asyncio.create_task(registrar.run())
    file.write_text(SOURCE.format("one"))
    assert await until(lambda: _names(db)) == ["one"]
    file.write_text("[[source]]")
    await until(lambda: _said(caplog, "the sources stay as they were until the file is corrected: "))
    file.write_text(SOURCE.format("one") + SOURCE.format("two"))
    await until(lambda: _said(caplog, "one, two"))
    assert await _names(db) == ["one", "two"]
    file.unlink()
    await until(lambda: _said(caplog, ": none"))
    assert await _names(db) == ["one", "two"], "only a person ends a source"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _names(db: Database) -> list[str]:
    return [source.name for source in await list_sources(db)]


async def _said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.messages[-1]
