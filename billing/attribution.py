"""Attribution ids, which name who pays: `team:<id>` or `user:<id>`."""

import re

from billing.errors import InputError

# Python and PostgreSQL share this pattern. The id is also a segment of report paths and workflow ids.
PATTERN = r"^(team|user):[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}$"
_ATTRIBUTION_ID = re.compile(PATTERN)


def is_attribution_id(text: str) -> bool:
    """Return whether `text` is a well-formed attribution id."""
    return _ATTRIBUTION_ID.fullmatch(text) is not None


def parse_attribution_id(text: str) -> str:
    """Return `text` if it is an attribution id.

    Raises:
        InputError: `text` is neither `team:<id>` nor `user:<id>`.
    """
    if not is_attribution_id(text):
        raise InputError(f"{text!r} is not an attribution id: write team:<id> or user:<id>")
    return text
