"""The files that an import names: one by one, in folders, in buckets, or on standard input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from billing.errors import InputError
from sources.files.opening import Open, open_file, open_standard_input
from storage.buckets.bucket import is_bucket_url, list_objects, open_object

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

STANDARD_INPUT = "-"
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_COMPRESSED = ".gz"
_Listed: TypeAlias = tuple[str, Open, int, str]  # name, how it is opened, size, ETag


@dataclass(frozen=True)
class ImportFile:
    """One file: its name in messages, its format, and how it is opened.

    `size`, in bytes, and `etag`, which another content does not have, are known of those in folders and buckets.
    """

    name: str
    format: Format
    open: Open
    size: int = 0
    etag: str = ""


@dataclass
class ImportFiles:
    """The files of an import, in order. `warnings` says in a line each what was passed over."""

    files: list[ImportFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def find_files(names: Sequence[str], given: Format | None = None) -> ImportFiles:
    """Find the files that the names stand for. `given` is the format of all that are not in a folder.

    A name is a file, a folder, the URL of an object, the URL of all objects below a prefix (it ends with a slash), or
    `-` for standard input, which is CSV unless the format is given.

    Raises:
        InputError: standard input is named twice, a file is missing or its format unknown, or a folder or bucket cannot
            be read.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise InputError("standard input is named twice")
    found = ImportFiles()
    for name in names:
        if name == STANDARD_INPUT:
            found.files.append(ImportFile(name, given or "csv", open_standard_input))
        elif is_bucket_url(name):
            if name.endswith("/"):
                _add_below(found, name)
            else:
                found.files.append(ImportFile(name, given or _format(name), partial(open_object, name)))
        elif Path(name).is_dir():
            _add_below(found, name)
        elif Path(name).exists():
            found.files.append(ImportFile(name, given or _format(name), partial(open_file, Path(name))))
        else:
            raise InputError(f"{name}: cannot be read: No such file or directory")
    return found


def find_below(place: str, given: Format | None = None) -> ImportFiles:
    """Find the files in a folder, or the objects below a prefix that ends with a slash. `given`: the format of all.

    Raises:
        InputError: the folder or the bucket cannot be read.
    """
    found = ImportFiles()
    if not is_bucket_url(place) and not Path(place).is_dir():
        raise InputError(f"{place}: cannot be read: there is no such folder")
    _add_below(found, place, given)
    return found


def _add_below(found: ImportFiles, place: str, given: Format | None = None) -> None:
    for name, opened, size, etag in _objects(place) if is_bucket_url(place) else _files(Path(place), found):
        if (known := given or _known_format(name)) is None:
            found.warnings.append(f"{name} is left out: its ending is none of {_endings()}")
        else:
            found.files.append(ImportFile(name, known, opened, size, etag))


def _objects(url: str) -> Iterator[_Listed]:
    for found in list_objects(url):
        yield found.url, partial(open_object, found.url), found.size, found.etag


def _files(folder: Path, found: ImportFiles) -> Iterator[_Listed]:
    for path in _below(folder, found):
        try:
            status = path.stat()
            size, etag = status.st_size, f"{status.st_mtime_ns:x}-{status.st_size:x}"
        except OSError:  # gone meanwhile, or a link to nothing: opening it says so
            size, etag = 0, ""
        yield str(path), partial(open_file, path), size, etag


def _below(folder: Path, found: ImportFiles) -> Iterator[Path]:
    """Yield the files of a folder and its sub-folders in name order, without hidden ones."""

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=fail):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = (here / name for name in folders if (here / name).is_symlink())
        found.warnings += [f"{path} is left out: it is a link to a folder" for path in linked]
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _known_format(name: str) -> Format | None:
    path = Path(name)
    if path.suffix.lower() == _COMPRESSED:
        inner = _ENDINGS.get(Path(path.stem).suffix.lower())
        return None if inner == "parquet" else inner
    return _ENDINGS.get(path.suffix.lower())


def _format(name: str) -> Format:
    known = _known_format(name)
    if known is None:
        raise InputError(f"{name}: the ending says the format: use one of {_endings()}, or --format")
    return known


def _endings() -> str:
    return f"{', '.join(_ENDINGS)} (text also with {_COMPRESSED})"
