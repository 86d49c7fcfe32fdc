"""Decode `application/x-www-form-urlencoded` with Stripe's bracket notation."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from stripe_emulator.errors import StripeError

Form: TypeAlias = "dict[str, Form | str]"

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the decoded key/value pairs in the order sent.

    Raises:
        StripeError: 400, the text is not form-encoded.
    """
    if not text:
        return []
    if _BAD_ESCAPE.search(text):
        raise StripeError("Invalid request: the parameters contain a malformed percent escape.")
    try:
        found = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise StripeError(f"Invalid request: the parameters are not form-encoded ({error}).") from None
    if any("\x00" in key or "\x00" in value for key, value in found):
        raise StripeError("Invalid request: the parameters contain a null byte.")
    return found


def nest(found: list[tuple[str, str]]) -> Form:
    """Nest pairs: `a[b][0][c]=v` becomes `{"a": {"b": {"0": {"c": "v"}}}}`; lists stay hashes of their indexes.

    Raises:
        StripeError: 400, a key is malformed, sent twice, or both a value and a hash.
    """
    root: Form = {}
    for key, value in found:
        if "[" not in key and "]" not in key:
            segments = [key]
        else:
            match = _KEY.fullmatch(key)
            if match is None:
                raise StripeError(f"Invalid request: malformed parameter name: {key}", param=key)
            segments = [match[1], *_SEGMENT.findall(match[2])]
        node = root
        for segment in segments[:-1]:
            inner = node.setdefault(segment or str(len(node)), {})
            if isinstance(inner, str):
                raise StripeError(f"Invalid request: {key} is both a value and a hash.", param=segments[0])
            node = inner
        last = segments[-1] or str(len(node))
        if last in node:
            raise StripeError(f"Invalid request: the parameter {key} was sent more than once.", param=segments[0])
        node[last] = value
    return root
