"""The arguments and options that both imports share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from billing.errors import InputError
from billing.usage.columns import parse_mapping
from billing.usage.parsing import Kind
from billing.usage.rows import ImportOptions
from sources.files.finding import FORMATS, Format, find_files
from starter.cli.imports.importing import ImportOrder

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="Files, folders, bucket URLs (s3://, gs://, az://), or `-`."),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="|".join(FORMATS), help="Instead of the file's ending; `-` is csv."),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=COLUMN", help="The file's name of a column; NAME= ignores it. Repeatable."),
]
AssumeZone = Annotated[
    str | None,
    typer.Option("--assume-zone", metavar="ZONE", help="Zone of times without one, such as Europe/Berlin."),
]
RejectsOption = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Write refused rows to this new .csv or .jsonl file."),
]


DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what the import would do, and change nothing.")]


def order_of(
    kind: Kind,
    names: Sequence[str],
    given: str | None,
    mapping: Sequence[str] | None,
    zone: str | None,
    rejects: Path | None,
    options: ImportOptions,
    *,
    strict: bool,
) -> ImportOrder:
    """Return the order that the options give.

    Raises:
        InputError: an option is malformed, or a file cannot be found; the message names the option.
    """
    try:
        columns = parse_mapping(kind, mapping or ())
    except InputError as error:
        raise InputError(f"--map {error}") from None
    return ImportOrder(find_files(names, _format(given)), columns, _zone(zone), rejects, options, strict)


def _format(given: str | None) -> Format | None:
    for known in FORMATS:
        if given == known:
            return known
    if given is not None:
        raise InputError(f"--format {given!r}: write one of {', '.join(FORMATS)}")
    return None


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"--assume-zone {name!r}: write a time zone's name, such as Europe/Berlin or UTC") from None
