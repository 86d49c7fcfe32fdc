"""Attribution ids, which name who pays: an account's id in the customer's own system, such as `acme` or `team:blue`."""

import re

from billing.errors import InputError

# Python and PostgreSQL share this pattern. The id is also a segment of invoice keys, workflow ids and report paths:
# that is why it has no slash and does not start with a dot.
PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@+=~-]{0,132}$"
_ATTRIBUTION_ID = re.compile(PATTERN)
_SHOWN = 80


def is_attribution_id(text: str) -> bool:
    """Return whether `text` is a well-formed attribution id."""
    return _ATTRIBUTION_ID.fullmatch(text) is not None


def malformed_attribution_id(text: str) -> str:
    """Return a message that says how to write an attribution id, which `text` is not."""
    return (
        f"{text[:_SHOWN]!r} is not an attribution id: write at most 133 letters, digits and . _ : @ + = ~ -, "
        "beginning with a letter or digit"
    )


def parse_attribution_id(text: str) -> str:
    """Return `text` if it is an attribution id.

    Raises:
        InputError: `text` is malformed; the message says what to write.
    """
    if not is_attribution_id(text):
        raise InputError(malformed_attribution_id(text))
    return text
