"""Text for spreadsheets."""

from __future__ import annotations

# A spreadsheet reads text with such a beginning as a formula, and customers choose the names of workspaces.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_text(text: str) -> str:
    """Return the text as a cell of CSV that no spreadsheet reads as a formula: with an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
