"""Text for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MARKS = re.compile(r"`[^`]*`|[\\*_<>\[\]]")


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun: "1 invoice", "1,213 invoices". `nouns` is the plural if adding an s is wrong."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def utc(instant: datetime) -> str:
    """Return an aware instant as people write it: "2022-05-03T17:00:00Z"."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def one_line(text: str, most: int = 400) -> str:
    """Return the first line of a text that is not empty, cut to `most` characters; an error's further lines are SQL."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= most else f"{line[: most - 3]}..."


def as_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is; what stands between backticks stays code."""
    return _MARKS.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", text)
