"""The events of a request, in each of the content modes that CloudEvents has for HTTP.

The package `cloudevents` is not used for this: to an event without an id or a time it gives new ones, and it knows no
batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from multidict import CIMultiDictProxy
from pydantic_core import from_json

from starter.api.models import MOST_ITEMS
from starter.api.problems import ProblemError

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
JSON = "application/json"
_PREFIX = "ce-"


def content_type(headers: CIMultiDictProxy[str]) -> str:
    """Return the media type of the body: `STRUCTURED`, `BATCHED`, or `JSON` for an event in binary mode.

    Raises:
        ProblemError: it is another.
    """
    media = media_type(headers)
    if media in (STRUCTURED, BATCHED):
        return media
    if "ce-specversion" in headers and media in ("", JSON):
        return JSON
    raise ProblemError(
        415, f"the Content-Type is {STRUCTURED}, {BATCHED}, or {JSON} with the event's attributes in ce- headers"
    )


def media_type(headers: CIMultiDictProxy[str]) -> str:
    """Return the media type without its parameters, empty if there is none.

    Raises:
        ProblemError: there are several, the text is not UTF-8, or it is compressed.
    """
    given = headers.getall("Content-Type", [])
    media, _, parameters = (given[0] if given else "").partition(";")
    charset = parameters.strip().lower().partition("charset=")[2].strip('"')
    if len(given) > 1 or charset not in ("", "utf-8"):
        raise ProblemError(415, "the body must be JSON in UTF-8")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError(415, "the body must not be compressed")
    return media.strip().lower()


def items(media: str, headers: CIMultiDictProxy[str], body: bytes) -> list[object]:
    """Return the request's events as they were sent, unchecked.

    Raises:
        ProblemError: the body is not JSON, or has more than `MOST_ITEMS` events.
    """
    if media == JSON:
        return [_binary(headers, body)]
    given = parse_json(body)
    if media == STRUCTURED:
        return [given]
    if not isinstance(given, list):
        raise ProblemError(422, "the body must be a list of events", faults=[])
    check_count(len(given))
    return given


def parse_json(body: bytes) -> object:
    """Return the body's value.

    Raises:
        ProblemError: it is not JSON.
    """
    try:
        parsed: object = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError(400, f"the body is not JSON: {error}") from None
    return parsed


def check_count(count: int) -> None:
    """Refuse a request of more than `MOST_ITEMS` events or rows.

    Raises:
        ProblemError: it has more.
    """
    if count > MOST_ITEMS:
        raise ProblemError(413, f"{count} items; one request has at most {MOST_ITEMS}: send several")


def _binary(headers: CIMultiDictProxy[str], body: bytes) -> Mapping[str, object]:
    """Return the event whose attributes are headers, and whose data is the body."""
    attributes: dict[str, object] = {}
    for name, value in headers.items():
        key = name.lower()
        if key.startswith(_PREFIX):
            if key.removeprefix(_PREFIX) in attributes:
                raise ProblemError(400, f"there are several headers {key}")
            attributes[key.removeprefix(_PREFIX)] = _decoded(key, value)
    return attributes | ({"data": parse_json(body)} if body else {})


def _decoded(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise ProblemError(400, f"the header {name} is not percent-encoded UTF-8") from None
