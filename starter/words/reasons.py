"""Why something is blocked, for people."""

from __future__ import annotations

import re

_KIND = re.compile(r"^[A-Za-z]+Error: ")


def plain(reason: str) -> str:
    """Return a reason without the name of the error that it begins with."""
    text = _KIND.sub("", reason)
    return text[:1].upper() + text[1:] if text != reason else reason
