"""docs/glossary.md: one word has one sense in names, and no name uses a word that another one replaced."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, ROOMS, ROOT, files

PRODUCT = [room for room in (*ROOMS, *MODULES) if room != "stripe_emulator"]

REPLACED = {
    "anew": "again",
    "brake": "limit, or hold",
    "bring_back": "recover",
    "heed": "handle",
    "look": "refresh, compare or identify",
    "lookup": "identify",
    "mend": "fix",
    "news": "stripe_changed",
    "outcome": "result, or verdict",
    "reckon": "compute",
    "take_over": "adopt",
    "taken_over": "adopted",
}
WIRE = {
    "look", "looked_at", "looks", "look_again_after",  # message fields
    "LOOK_UP_STRIPE_INVOICE", "LOOK_AT_STRIPE_INVOICES",  # activities
    "outcome", "outcomes", "ACCOUNT_OUTCOME", "OUTCOMES",  # a table, a column, a metric's label, JSON
}  # fmt: skip

SENSES = {
    # A period or an invoice settles. `settle_to` and the `*_settle_seconds` are a column and settings.
    "settle": r"workflows/(periods|invoices)/|contracts/names\.py|contracts/messages/(periods\.py|one_step/)"
    r"|billing/audit/kinds\.py|storage/totals/"
    r"|storage/(periods|recovery|invoices|monitor|settling)/|starter/monitor/|starter/cli/(period|invoices|recover|status)|starter/console/pages/(overview\.py|periods/)|activities/postgres/(periods|audit/report_comparison|invoices|stripe_state)\.py",
    # Stripe's draft invoice alone: what is priced and not yet written is a priced invoice.
    "draft": r"(?!billing/(assessment|pricing|report)/)",
    # What a run decides about an account.
    "verdict": r"billing/assessment/|storage/claims/|storage/periods/|activities/postgres/periods/limits\.py"
    r"|starter/cli/period/|workflows/audit/details\.py",
}
SETTLED_ELSEWHERE = re.compile(r"settle_to|\w+_settle_seconds|SETTLE_INVOICE|SETTLE_BILLED|settle_billed|SettleBilled")


@cache
def _defined(path: Path) -> tuple[str, ...]:
    return tuple(sorted(set(_names(path))))


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _uses(word: str) -> list[tuple[str, str]]:
    form = re.compile(rf"(?:^|_)(?:un)?{word}(?:s|d|ed|ing|led)?(?:_|$)")
    return [
        (str(path.relative_to(ROOT)), name)
        for room in PRODUCT
        for path in files(room)
        if "migrations" not in path.parts
        for name in _defined(path)
        if form.search(_snake(name))
    ]


@pytest.mark.parametrize("word", REPLACED)
def test_no_name_uses_a_replaced_word(word: str) -> None:
    assert [use for use in _uses(word) if use[1].lstrip("_") not in WIRE] == [], f"say {REPLACED[word]}"


@pytest.mark.parametrize("word", SENSES)
def test_a_word_is_used_in_its_sense_alone(word: str) -> None:
    elsewhere = [
        (path, name)
        for path, name in _uses(word)
        if not SETTLED_ELSEWHERE.fullmatch(name.lstrip("_")) and not re.match(SENSES[word], path)
    ]
    assert elsewhere == [], f"docs/glossary.md: {word}"


def test_the_glossary_defines_the_words() -> None:
    defined = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    words = {word for row in defined for word in row.replace(",", " ").split()}
    assert words >= {
        "settle",
        "draft",
        "result",
        "adopt",
        "recovery",
        "limit",
        "hold",
        "refresh",
        "compare",
        "identify",
    }
