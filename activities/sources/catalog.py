"""The sources of `sources.toml`, as a process that reads them knows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from billing.errors import InputError
from billing.usage.columns import ColumnNames
from sources.config import FilesSource, SqlSource, load_sources
from sources.sql.query import names_since
from storage.arrivals.sources import SourceTerms

AnySource: TypeAlias = SqlSource | FilesSource

_FIRST_ORDER = re.compile(r"\s*(?:\w+\.)*[\"`]?(\w+)[\"`]?\s*(?:asc\s*)?(?:,|;|limit\b|$)", re.IGNORECASE)


class SourceCatalog:
    """Reads `sources.toml` at each question, so that a correction needs no restart. A missing file has no sources."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def sources(self) -> list[AnySource]:
        """Return all sources.

        Raises:
            InputError: the file is wrong; one line says where.
        """
        found: list[AnySource] = [*load_sources(self.path)] if self.exists else []
        for source in found:
            _refuse_part_of_a_snapshot(source)
        return found

    def find(self, name: str) -> AnySource:
        """Return one source.

        Raises:
            InputError: the file is wrong, or has no such source.
        """
        found = self.sources()
        for source in found:
            if source.name == name:
                return source
        known = f"it has {', '.join(source.name for source in found)}" if found else "it has none, or does not exist"
        raise InputError(f"{self.path} has no source {name!r}: {known}")


def _refuse_part_of_a_snapshot(source: AnySource) -> None:
    if isinstance(source, SqlSource) and source.snapshot and names_since(source.query):
        raise InputError(
            f"{source.place}: snapshot: the query must return all running instances: leave :since out of it"
        )


def kind_of(source: AnySource) -> str:
    """Return `sql` or `files`."""
    return "sql" if isinstance(source, SqlSource) else "files"


def terms_of(sources: Iterable[AnySource]) -> list[SourceTerms]:
    """Return what Postgres has to know of the sources."""
    return [
        SourceTerms(source.name, kind_of(source), source.every, source.lag, source.stale_after) for source in sources
    ]


def definition_of(source: AnySource) -> str:
    """Return a digest of what decides which rows a source has; no secret can be read from it."""
    own = source.query if isinstance(source, SqlSource) else str(source.format)
    parts = (kind_of(source), source.url.written, own, str(sorted(source.mapping.items())), str(source.zone))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_ordered(source: SqlSource) -> bool:
    """Return whether the query says that its rows come in the order of their update times."""
    before, order, after = source.query.rpartition(_last_order_by(source.query))
    del before
    first = _FIRST_ORDER.match(after) if order and after.count(")") == after.count("(") else None
    return first is not None and ColumnNames("instances", source.mapping).of_row([first[1]]) == ["updated_at"]


def _last_order_by(query: str) -> str:
    found = re.findall(r"\border\s+by\b", query, re.IGNORECASE)
    return str(found[-1]) if found else "order by"
