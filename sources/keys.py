"""The keys of one table of `sources.toml`, each read into its type or refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.errors import InputError
from billing.usage.columns import parse_mapping
from sources.files.finding import FORMATS, Format
from sources.urls import SourceUrl, database_of, files_place

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LENGTH = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class SourceKeys:
    """A table's keys. `place` names the file and the table in messages. Each method raises InputError for its key."""

    def __init__(self, table: Mapping[str, Any], place: str) -> None:
        self._table = table
        self.place = place

    def allow(self, known: Sequence[str], elsewhere: Mapping[str, str] | None = None) -> None:
        """Refuse keys that are not known. `elsewhere`: those that only another kind of source has, with the kind."""
        for key in self._table:
            if key in known:
                continue
            if elsewhere and key in elsewhere:
                raise self._fault(key, f"only a source of kind {elsewhere[key]!r} has it")
            close = get_close_matches(key, known, n=1)
            better = f"write {close[0]!r}" if close else f"the keys are {', '.join(known)}"
            raise InputError(f"{self.place}: unknown key {key[:60]!r}: {better}")

    def name(self, key: str) -> str:
        """Return a source's name."""
        value = self.text(key)
        if not _NAME.fullmatch(value):
            raise self._fault(key, f"{value[:70]!r} is not a name: write up to 63 of a-z, 0-9, _ and -, no space")
        return value

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        value = self._table.get(key)
        if value is None:
            raise self._fault(key, "is missing")
        if not isinstance(value, str) or not value.strip():
            raise self._fault(key, 'must be a text in quotes, such as key = "value"')
        return value.strip()

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Return one of the choices."""
        value = self.text(key)
        if value not in choices:
            close = get_close_matches(value, choices, n=1) or choices
            raise self._fault(key, f"{value[:60]!r} is not known: write {' or '.join(map(repr, close))}")
        return value

    def format(self, key: str) -> Format | None:
        """Return the format of files, None if it is not set."""
        if key not in self._table:
            return None
        value = self.choice(key, FORMATS)
        return next(known for known in FORMATS if known == value)

    def flag(self, key: str) -> bool:
        """Return true or false, which is the default."""
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            raise self._fault(key, "must be true or false, without quotes")
        return value

    def duration(self, key: str, default: timedelta | None, *, zero: bool = False) -> timedelta:
        """Return a length of time; without a default it must be there."""
        if key not in self._table and default is not None:
            return default
        value = self._table.get(key)
        if value is None:
            raise self._fault(key, 'is missing: write how late files are at most, such as lag = "26h"')
        match = _LENGTH.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self._fault(key, f'{str(value)[:60]!r} is not a length of time: write "90s", "15m", "26h" or "7d"')
        length = timedelta(**{_UNITS[match[2]]: int(match[1])})
        if not length and not zero:
            raise self._fault(key, "must be above 0")
        return length

    def optional_duration(self, key: str) -> timedelta | None:
        """Return a length of time; None if it is not set, zero if it is "off"."""
        if key not in self._table:
            return None
        return timedelta() if self._table[key] == "off" else self.duration(key, None)

    def zone(self, key: str) -> tzinfo:
        """Return a time zone; UTC if it is not set."""
        name = self.text(key) if key in self._table else "UTC"
        try:
            return UTC if name == "UTC" else ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self._fault(key, f"{name[:60]!r} is not a time zone: write its name, such as Europe/Berlin") from None

    def mapping(self, key: str) -> dict[str, str | None]:
        """Return our columns by the source's names of them."""
        table = self._table.get(key, {})
        if not isinstance(table, dict):
            raise self._fault(key, 'must be a table: write map = { tenant = "attribution_id", note = "" }')
        for name, column in table.items():
            if not isinstance(column, str) or "=" in name:
                raise self._fault(key, f'{name[:60]!r}: write {{ their_name = "our_name" }}, or "" to ignore a column')
        try:
            return parse_mapping("instances", (f"{name}={column}" for name, column in table.items()))
        except InputError as error:
            raise self._fault(key, str(error)) from None

    def database(self, key: str, folder: Path) -> SourceUrl:
        """Return where a database is. A server's URL holds a password, so only the name of a secret is taken."""
        url = SourceUrl(self.text(key), f"{self.place}: {key}", folder)
        if not url.is_secret and database_of(url.written) != "sqlite":
            better = 'keep it as a secret, and write "env:PRODUCT_DATABASE_URL" or "file:/run/secrets/product"'
            raise self._fault(key, f"must not be written here, because it holds a password: {better}")
        return url

    def files(self, key: str, folder: Path) -> SourceUrl:
        """Return where files are: a bucket's prefix or a folder."""
        url = SourceUrl(self.text(key), f"{self.place}: {key}", folder)
        try:
            files_place("" if url.is_secret else url.written, folder)
        except InputError as error:
            raise self._fault(key, str(error)) from None
        return url

    def _fault(self, key: str, message: str) -> InputError:
        return InputError(f"{self.place}: {key}: {message}")
