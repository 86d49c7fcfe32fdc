"""Canonical JSON values: the one way to write an instant, a decimal or a text, and how to read them strictly."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from billing.errors import ReportError

_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,20})?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_T = TypeVar("_T")
_D = TypeVar("_D", Decimal, None)


def format_instant(instant: datetime) -> str:
    """Format an instant as ISO 8601 in UTC, with exactly six decimals and `Z`.

    Raises:
        ReportError: the instant has no time zone.
    """
    if instant.tzinfo is not UTC:
        if instant.utcoffset() is None:
            raise ReportError(f"{instant.isoformat()} has no time zone and cannot be reported")
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def format_credits(credits: Decimal) -> str:
    """Format credits, already rounded, with exactly six decimals.

    Raises:
        ReportError: the credits have more than six decimals.
    """
    text = f"{credits:.6f}"
    if Decimal(text) != credits:
        raise ReportError(f"credits {credits} have more than 6 decimals")
    return text


def format_decimal(number: Decimal) -> str:
    """Format a rate or price without exponent and trailing zeros, whatever scale it was stored with."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utf8(text: str) -> bytes:
    """Encode a text as UTF-8.

    Raises:
        ReportError: the text is not valid Unicode (it has lone surrogates).
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ReportError(f"text that is not Unicode cannot be reported: {text[:100]!r}") from error


class Fields:
    """The fields of one JSON object, each read once and checked. Every method raises ReportError.

    `source` is the object or its JSON text; `what` names it in messages.
    """

    def __init__(self, source: object, what: str) -> None:
        if isinstance(source, bytes):
            try:
                source = json.loads(source)
            except (ValueError, RecursionError) as error:
                raise ReportError(f"{what} is not JSON: {error}") from error
        if not isinstance(source, dict):
            raise ReportError(f"{what} is not a JSON object")
        self._fields: dict[str, object] = source
        self._what = what

    def take(self, name: str, kind: type[_T]) -> _T:
        """Return the field, which must be of exactly this type."""
        value = self._any(name)
        # Exactly this type, because in Python a boolean is also an integer.
        if type(value) is not kind:
            raise self._fault(name, f"is not of type {kind.__name__}")
        return value

    def take_or(self, name: str, kind: type[_T], default: _T) -> _T:
        """Return the field, which must be of exactly this type, or the default if it is missing."""
        return self.take(name, kind) if name in self._fields else default

    def text_or_none(self, name: str) -> str | None:
        """Return the field, which must be a text or null."""
        value = self._any(name)
        if value is not None and not isinstance(value, str):
            raise self._fault(name, "is neither text nor null")
        return value

    def instant(self, name: str) -> datetime:
        """Return the field, which must be an instant in canonical form."""
        text = self.take(name, str)
        try:
            if _INSTANT.fullmatch(text):
                return datetime.fromisoformat(text)
        except ValueError:
            pass
        raise self._fault(name, "is not an instant such as 2022-05-01T00:00:00.000000Z")

    def instant_or(self, name: str, default: datetime | None) -> datetime | None:
        """Return the field, which must be an instant in canonical form, or the default if it is missing."""
        return self.instant(name) if name in self._fields else default

    def decimal(self, name: str) -> Decimal:
        """Return the field, which must be a decimal in a string."""
        text = self.take(name, str)
        if not _DECIMAL.fullmatch(text):
            raise self._fault(name, "is not a decimal")
        return Decimal(text)

    def decimal_or(self, name: str, default: _D) -> Decimal | _D:
        """Return the field, which must be a decimal in a string, or the default if it is missing."""
        return self.decimal(name) if name in self._fields else default

    def finish(self) -> None:
        """Make sure that every field has been read."""
        if self._fields:
            raise self._fault(min(self._fields), "is not known")

    def _any(self, name: str) -> object:
        if name not in self._fields:
            raise self._fault(name, "is missing")
        return self._fields.pop(name)

    def _fault(self, name: str, fault: str) -> ReportError:
        return ReportError(f"{self._what}: {name[:60]!r} {fault}")
