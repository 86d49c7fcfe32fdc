"""`sources.toml`: where usage is read from, databases, folders and buckets (docs/connect-your-database.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from typing import Any

from billing.errors import InputError
from sources.files.finding import Format
from sources.keys import SourceKeys
from sources.urls import SourceUrl

_SHARED = ("name", "kind", "url", "every", "lag", "zone", "stale_after", "reopen", "map")
_OWN = {"sql": ("query", "overlap", "timeout", "snapshot"), "files": ("format",)}
_RESERVED = {"api": "the API", "file": "imported files"}  # whose usage has the name
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class UsageSource:
    """What sources of both kinds have. Lengths of time are never negative.

    `every`: how often it is read. `lag`: how far what it says can be behind. `zone`: of times without one.
    `stale_after`: an instance without a stop is billed up to its last sign once that is older; zero for never, None for
    what the deployment says. `reopen`: a row without a stop can remove a known one.
    `mapping`: our columns by the source's names; None ignores a column.
    """

    name: str
    place: str
    url: SourceUrl
    every: timedelta
    lag: timedelta
    zone: tzinfo = UTC
    stale_after: timedelta | None = None
    reopen: bool = False
    mapping: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SqlSource(UsageSource):
    """A query of a database. `overlap`: what is read again before the cursor. `timeout`: of each statement.

    `snapshot`: the query returns all running instances each time.
    """

    query: str
    snapshot: bool = False
    overlap: timedelta = 15 * _MINUTE
    timeout: timedelta = 5 * _MINUTE


@dataclass(frozen=True, kw_only=True)
class FilesSource(UsageSource):
    """Files below a folder or a bucket's prefix. `format`: of all of them, whatever their endings."""

    format: Format | None = None


def load_sources(path: Path) -> list[SqlSource | FilesSource]:
    """Read and validate the file. No secret is read yet, and nothing is connected.

    Raises:
        InputError: the file cannot be read or is wrong; the line names the file, the source and the key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}; set SOURCES to its path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: is not TOML: {error}") from error
    return parse_sources(document, path)


def parse_sources(document: Mapping[str, Any], path: Path) -> list[SqlSource | FilesSource]:
    """Validate the content of the file at `path`; relative paths in it start in its folder. Empty, it has no source.

    Raises:
        InputError: something is missing, misspelt, of the wrong form or there twice.
    """
    if not document:  # the last source was removed
        return []
    SourceKeys(document, str(path)).allow(("source",))
    tables = document.get("source")
    if not isinstance(tables, list) or not tables:
        raise InputError(f"{path}: there is no [[source]] table: write at least one")
    found: list[SqlSource | FilesSource] = []
    for number, table in enumerate(tables, 1):
        source = _parse_source(table, path, number)
        if owner := _RESERVED.get(source.name):
            raise InputError(f"{path}: source {source.name!r}: name: is that of {owner}: choose another")
        if source.name in {other.name for other in found}:
            raise InputError(f"{path}: source {source.name!r}: name: another source has it")
        found.append(source)
    return found


def _parse_source(table: object, path: Path, number: int) -> SqlSource | FilesSource:
    if not isinstance(table, dict):
        raise InputError(f"{path}: source {number}: is not a table: write [[source]] above its keys")
    name = SourceKeys(table, f"{path}: source {number}").name("name")
    keys = SourceKeys(table, f"{path}: source {name!r}")
    kind = keys.choice("kind", tuple(_OWN))
    keys.allow((*_SHARED, *_OWN[kind]), {key: other for other, own in _OWN.items() if other != kind for key in own})
    return _sql_source(keys, name, path.parent) if kind == "sql" else _files_source(keys, name, path.parent)


def _sql_source(keys: SourceKeys, name: str, folder: Path) -> SqlSource:
    overlap = keys.duration("overlap", 15 * _MINUTE, zero=True)
    return SqlSource(
        **_shared(keys, name),
        url=keys.database("url", folder),
        query=keys.text("query"),
        snapshot=keys.flag("snapshot"),
        overlap=overlap,
        every=keys.duration("every", 10 * _MINUTE),
        lag=keys.duration("lag", overlap, zero=True),
        timeout=keys.duration("timeout", 5 * _MINUTE),
    )


def _files_source(keys: SourceKeys, name: str, folder: Path) -> FilesSource:
    return FilesSource(
        **_shared(keys, name),
        url=keys.files("url", folder),
        format=keys.format("format"),
        every=keys.duration("every", 60 * _MINUTE),
        lag=keys.duration("lag", None, zero=True),
    )


def _shared(keys: SourceKeys, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "place": keys.place,
        "zone": keys.zone("zone"),
        "stale_after": keys.optional_duration("stale_after"),
        "reopen": keys.flag("reopen"),
        "mapping": keys.mapping("map"),
    }
