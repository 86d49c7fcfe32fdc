"""Prose reads as a native engineer writes it: phrases that do not are banned; documents fit a screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import own_files

ROOT = Path(__file__).resolve().parents[2]
BANS = (Path(__file__), ROOT / "tests/architecture/test_words.py")
SKIPPED = {".venv", ".git", "build", "histories", "node_modules"}
SUFFIXES = {".py", ".sql", ".md", ".toml", ".yml", ".yaml", ".sh", ".mako", ".example"}
NAMES = {"Makefile", "Dockerfile", "run", "init-secrets"}

BANNED = {
    r"anew": "again",
    r"beside": "next to, with, besides",
    r"by now": "now, already",
    r"heed(s|ed|ing)?": "handle",
    r"brakes?": "limit (the rule), hold (its effect)",
    r"mend(s|ed|ing)?": "fix",
    r"reckon(s|ed|ing)?": "compute",
    r"told": "reported, shown, said; tell apart: distinguish",
    r"one (that|whose)": "the noun",
    r"whoever": "the noun",
    r"news": "event, change",
    r"(takes?|taken|took|taking) over": "adopt",
    r"(comes?|came) to [\d`{]": "is, totals",
    r"(lets?|letting) (it|them|an? \w+|the \w+) go": "release, approve",
    r"look(s|ed|ing)? (at|up)": "compare, find, check",
    r"what became of": "what happened to",
    r"again is nothing new": "idempotent",
    r"of now": "current",
    r"none: ": "None if",
    r"(?!http)\w+\(s\)": "billing.text.plural",
    r"the design('s)?( section)?|section \d": "a document that the reader has",
}
# A key of JSON, an option of Temporal's, file names of recorded histories.
WIRE = re.compile(r"[\"'`](brake|claimed-anew)[\"'`]|, brake`|--ui-disable-news-fetch")
# Where the case separates prose from code.
_AS_WRITTEN = ("none:", "(?!http)")
FORM = re.compile(
    r"(?<![\w.-])("
    + "|".join(form if form.startswith(_AS_WRITTEN) else f"(?i:{form})" for form in BANNED)
    + r")(?![\w-])"
)

PROSE_COLUMNS, TABLE_COLUMNS = 120, 160


def _texts() -> Iterator[Path]:
    for path in own_files(ROOT):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".github", ".env.example") for part in parts)
        wanted = path.suffix in SUFFIXES or path.name in NAMES
        if wanted and path.is_file() and not hidden and not SKIPPED & set(parts) and path not in BANS:
            yield path


def test_no_banned_phrase() -> None:
    found: list[str] = []
    for path in _texts():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := FORM.search(WIRE.sub("", line)):
                better = next(say for form, say in BANNED.items() if re.fullmatch(form, match[1], re.IGNORECASE))
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[1]!r}: say {better}")
    assert found == []


def test_the_ban_bites() -> None:
    assert FORM.search("The invoice is made Anew.")
    assert FORM.search("It comes to 5.00 USD")
    assert not FORM.search("recommend, amended, foretold")


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tests/README.md"]), ids=str
)
def test_a_page_fits_a_screen(page: Path) -> None:
    fenced, wide = False, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        columns = TABLE_COLUMNS if line.startswith("|") else PROSE_COLUMNS
        if not fenced and len(line) > columns and "](" not in line:
            wide.append(f"{page.relative_to(ROOT)}:{number}: {len(line)}")
    assert wide == []
