"""The source's query: where it names `:since`, as each driver wants it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""What `:since` is at a source's first read: times before it are refused."""

# What can hold a colon that names nothing: texts, quoted names, comments, Postgres' dollar quotes and casts.
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(\$\w*\$).*?\1|::|:since\b",
    re.DOTALL,
)


def names_since(query: str) -> bool:
    """Return whether the query names `:since`."""
    return any(match[0] == ":since" for match in _TOKEN.finditer(query))


def as_format(query: str) -> str:
    """Return the query with `%(since)s` for `:since`, and other percent signs doubled."""
    return _TOKEN.sub(lambda match: "%(since)s" if match[0] == ":since" else match[0], query.replace("%", "%%"))


def without_end(query: str) -> str:
    """Return the query without a semicolon at its end."""
    return query.rstrip().rstrip(";").rstrip()


def local_since(since: datetime, zone: tzinfo) -> datetime:
    """Return `since` as clocks in the zone show it, without a zone.

    If the clocks are put back within a day, the time is so much earlier: what they show again is not passed over.
    """
    local = since.astimezone(zone)
    later = (since + timedelta(days=1)).astimezone(zone)
    back = (local.utcoffset() or timedelta()) - (later.utcoffset() or timedelta())
    return local.replace(tzinfo=None) - max(back, timedelta())
