"""Parse times of imported rows into instants: which are refused, and what to write in their place."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from billing.errors import InputError

# 1970-01-01 and 0001-01-01 stand for "not set" in many systems.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""Times from here on are refused."""

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.([0-9]+))?)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_NUMBER = re.compile(r"[0-9]{9,20}(\.[0-9]+)?")
_EPOCH_UNITS = {
    "seconds": (9, 1),
    "milliseconds": (12, 1000),
    "microseconds": (15, 1_000_000),
    "nanoseconds": (18, 1_000_000_000),
}
"""Units of time since 1970: the fewest digits of a recent time, and how many are a second."""
_EXAMPLE = "2022-05-01T09:30:00Z"


def parse_time(value: object, zone: tzinfo | None = None) -> datetime:
    """Parse a field, a text or a datetime, into an instant in UTC, rounded to the microsecond.

    `zone` is that of a time without one.

    Raises:
        InputError: the field is not an instant, has no time zone, is out of range, or clocks in `zone` never showed it
            or showed it twice.
    """
    instant = _instant(value, zone)
    if instant.tzinfo is not UTC:
        try:
            instant = instant.astimezone(UTC)
        except OverflowError:
            instant = instant.replace(tzinfo=UTC)
    if not _EARLIEST <= instant < LATEST:
        raise InputError(f"{instant.isoformat()} is not between 2000 and 9998; leave it empty if it is not set")
    return instant


def shown(value: object) -> str:
    """Return a value as messages quote it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _instant(value: object, assumed: tzinfo | None) -> datetime:
    if isinstance(value, datetime):
        if value.utcoffset() is not None:
            return value
        if assumed is None:
            raise InputError(f"{value.isoformat()} has no time zone; write it as {value.isoformat()}Z if it is UTC")
        return _local(value, assumed)
    if isinstance(value, date):
        raise InputError(f"{value.isoformat()} is a date; write an instant such as {_EXAMPLE}")
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        wanted = _epoch(value) or f"ISO 8601 with a zone, such as {_EXAMPLE}"
        raise InputError(f"{shown(value)} is not a time; write {wanted}")
    fraction, zone = match.groups()
    if zone is None and assumed is None:
        raise InputError(f"{shown(value)} has no time zone; add one, such as Z for UTC")
    try:
        instant = datetime.fromisoformat(match[0].upper())  # cuts what comes after microseconds
        if fraction and fraction[6:7] >= "5":  # nanoseconds, as of Go and Kubernetes, are rounded half up
            instant += timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{shown(value)} is not a time: {error}") from None
    return instant if zone or assumed is None else _local(instant, assumed)


def _local(time: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which clocks in the zone show this time.

    Raises:
        InputError: they showed it twice or never, when they were put back or forward.
    """
    if zone is UTC:
        return time.replace(tzinfo=UTC)
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    try:
        exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == time
    except OverflowError:
        return first
    if first.utcoffset() == second.utcoffset():
        return first
    fault = "was shown twice by the clocks" if exists else "was never shown by the clocks"
    raise InputError(f"{time.isoformat()} {fault} of {zone}, which were changed; write the time with its zone")


def _epoch(value: object) -> str:
    """Return how to write a number that is probably a time since 1970. Empty if it is not."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return ""
    text = str(value)
    if not _NUMBER.fullmatch(text):
        return ""
    whole, digits = int(text.partition(".")[0]), len(text.partition(".")[0])
    for unit, (least, per_second) in _EPOCH_UNITS.items():
        if digits in (least, least + 1):
            instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole // per_second)
            return f"{unit} since 1970 as {instant:%Y-%m-%dT%H:%M:%SZ}"
    return ""
