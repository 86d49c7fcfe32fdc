"""JSON documents on stdout, written while their rows are read, so that memory does not grow with them."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from textwrap import indent

from billing.errors import MismatchError


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(_json(document) + "\n")


async def print_json_list(documents: AsyncIterator[Mapping[str, object]]) -> None:
    """Print one JSON list while its documents are read, so that memory does not grow with it."""
    separator = "[\n"
    async for document in documents:
        sys.stdout.write(separator + indent(_json(document), "  "))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


async def print_json_with_list(head: Mapping[str, object], name: str, rows: AsyncGenerator[object]) -> None:
    """Print one JSON document whose last field, `name`, is a list, written while its rows are read, one per line.

    If reading fails, the document is left unclosed, so that no parser accepts it as complete. A `MismatchError` comes
    after the last row: the document is closed, and the error raised.
    """
    sys.stdout.write(_json(head).removesuffix("\n}") + f',\n  "{name}": [')
    comma, mismatch = "", None
    try:
        async with aclosing(rows):
            async for row in rows:
                sys.stdout.write(f"{comma}\n    {json.dumps(row, ensure_ascii=False)}")
                comma = ","
    except MismatchError as error:
        mismatch = error
    sys.stdout.write("\n  ]\n}\n" if comma else "]\n}\n")
    if mismatch is not None:
        raise mismatch


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
