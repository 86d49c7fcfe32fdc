"""What a released version left behind, and putting it back: `record.py` says what the files are."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Release:
    """The recorded state of one release, named by its schema's revision."""

    folder: Path

    @property
    def revision(self) -> str:
        """The schema's revision."""
        return self.folder.name

    @property
    def rate_card(self) -> str:
        """The rate card, as TOML."""
        return (self.folder / "rates.toml").read_text()

    async def fill_database(self, url: str) -> None:
        """Fill the empty database at the URL."""
        connection = await asyncpg.connect(url)
        try:
            await connection.execute((self.folder / "database.sql").read_text())
        finally:
            await connection.close()

    def fill_stripe(self, file: Path) -> None:
        """Write the emulator's state to its data file. The emulator's clock stands at the instant of the recording."""
        with closing(sqlite3.connect(file)) as database:
            database.executescript(self._text("emulator.sql.gz"))

    def fill_reports(self, folder: Path) -> None:
        """Write the report store's files to an empty folder."""
        shutil.unpack_archive(self.folder / "reports.zip", folder)

    def histories(self) -> list[str]:
        """Return the histories of all workflows, as JSON."""
        return self._text("histories.jsonl.gz").splitlines()

    def _text(self, name: str) -> str:
        return gzip.decompress((self.folder / name).read_bytes()).decode()


RELEASES = [Release(path.parent) for path in sorted(Path(__file__).parent.glob("*/database.sql"))]
