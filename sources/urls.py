"""Where a source is: written in its file, or named there and read from the environment or from a mounted file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from billing.errors import InputError
from storage.buckets.bucket import is_bucket_url

DATABASES = ("postgresql", "mysql", "sqlite")
"""The databases that a source can be, by the scheme of their URL."""
_SCHEMES = {"postgres": "postgresql", "mariadb": "mysql", **dict(zip(DATABASES, DATABASES, strict=True))}
_VARIABLE = "env:"
_FILE = "file:"


@dataclass(frozen=True)
class SourceUrl:
    """A source's URL, or the name of the secret that holds it. Its text never shows a secret.

    `place`: the file, the source and the key, as messages name them. `folder`: where relative paths start.
    """

    written: str
    place: str
    folder: Path

    @property
    def is_secret(self) -> bool:
        """Whether only the name of a secret is written."""
        return self.written.startswith((_VARIABLE, _FILE)) and not self.written.startswith("file://")

    def read(self) -> str:
        """Return the URL.

        Raises:
            InputError: the environment lacks the variable, the file cannot be read, or there is nothing in it.
        """
        if not self.is_secret:
            return self.written
        kind, _, name = self.written.partition(":")
        url = self._variable(name) if kind == "env" else self._file(Path(name))
        if not url:
            raise InputError(f"{self.place}: {self.written} is empty")
        return url

    def _variable(self, name: str) -> str:
        url = os.environ.get(name)
        if url is None:
            raise InputError(f"{self.place}: the variable {name} is not set in this process")
        return url.strip()

    def _file(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError(f"{self.place}: {path} is not UTF-8 text") from error
        except OSError as error:
            raise InputError(f"{self.place}: cannot read {path}: {error.strerror or error}") from error

    def __repr__(self) -> str:
        return f"SourceUrl({self.written!r})" if self.is_secret else "SourceUrl(...)"


def database_of(url: str) -> str | None:
    """Return which of DATABASES a URL names, None if it names none. A path without a scheme is SQLite's."""
    scheme, separator, _ = url.partition("://")
    return _SCHEMES.get(scheme.partition("+")[0].lower()) if separator else "sqlite"


def sqlite_path(url: str, folder: Path) -> Path:
    """Return the path of a SQLite file from its URL or path; a relative one starts in the folder."""
    return folder / (url.partition(":///")[2] if "://" in url else url)


def files_place(url: str, folder: Path) -> str:
    """Return a bucket's prefix, which ends with a slash, or the path of a folder. A relative one starts in `folder`.

    Raises:
        InputError: the URL's scheme is not known.
    """
    if is_bucket_url(url):
        return f"{url.rstrip('/')}/"
    scheme, separator, _ = url.partition("://")
    if separator and scheme != "file":
        raise InputError(f"{scheme[:20]!r} is not known: write s3://, gs://, az://, file:// or a path")
    return str(folder / (unquote(urlsplit(url).path) if separator else url))
