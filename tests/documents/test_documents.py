"""The links, files, commands, options and settings that the documents name exist."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from billing.audit.kinds import Kind as FindingKind
from billing.invoice.states import TRANSITIONS, Step
from billing.usage.columns import OTHER_NAMES
from billing.usage.parsing import COLUMNS, KINDS, REQUIRED, Kind
from campaigns.attack.campaign import FAMILIES
from settings import Settings
from starter.cli.main import app
from starter.cli.shell.lazy import LazyCommand
from starter.words.remedies import REMEDIES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT) for pattern in ("*.md", "docs/**/*.md", "tests/*.md") for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```(?:sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:    )?\s*(?:docker compose run --rm (?:-T )?)?(perdure|worker-stripe|schedule)( .*)$")
INLINE = re.compile(r"`perdure ([^`]*)`")


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")


def _anchors(path: Path) -> set[str]:
    return {_slug(line.lstrip("#")) for line in path.read_text().splitlines() if line.startswith("#")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall((ROOT / document).read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path), target


def _commands(document: Path) -> list[str]:
    text = (ROOT / document).read_text()
    blocks = [line for block in FENCED.findall(text) for line in block.splitlines()]
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    lines = [match[2] for line in (*blocks, *indented) if (match := COMMAND.match(line))]
    lines = [re.split(r"\s{2,}|\s[#<>]", line.strip())[0] for line in lines]
    return [*lines, *(" ".join(command.split()) for command in INLINE.findall(text))]


@functools.cache
def _group(command: Any) -> dict[str, Any]:
    """Return the subcommands, loaded. No `isinstance` check, because typer has its own copy of click."""
    inner = getattr(command, "commands", {})
    return {name: each.load() if isinstance(each, LazyCommand) else each for name, each in inner.items()}


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _check(command: str) -> None:
    """Walk the command line down to the command, and check that its options exist."""
    current: Any = app
    words = shlex.split(re.sub(r"[\[\]]", "", command.replace("\\|", "|")))
    while _group(current) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        assert words[0] in _group(current), f"perdure {command}"
        current = _group(current)[words.pop(0)]
    for word in words:
        if word.startswith("--") and word != "--help":
            assert word in _options(current), f"perdure {command}: {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_exist(document: Path) -> None:
    for command in _commands(document):
        if command and not command.isupper():
            _check(command)


def test_the_documents_name_commands() -> None:
    assert sum(len(_commands(document)) for document in DOCUMENTS) > 50
    with pytest.raises(AssertionError, match="nothing"):
        _check("nothing at all")
    with pytest.raises(AssertionError, match="--nothing"):
        _check("period run 2022-05 --nothing")


def _leaves(command: Any, path: str = "") -> set[str]:
    if _group(command):
        return {leaf for name, inner in _group(command).items() for leaf in _leaves(inner, f"{path} {name}")}
    return {path.strip()}


def test_every_command_is_on_the_command_lines_page() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    for command in _leaves(app):
        *group, name = command.split()
        mentioned = f"`perdure {command}" in page or (group == ["schedule"] and f"`{name}`" in page)
        assert mentioned, f"perdure {command}"


def test_the_diagram_of_states_is_the_declaration() -> None:
    page = (ROOT / "docs/invoices.md").read_text()
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (.+)$", page, re.MULTILINE))
    assert drawn == {
        (str(state), str(to), " / ".join(triggers))
        for state, moves in TRANSITIONS.items()
        for to, triggers in moves.items()
    }


def test_every_step_of_an_invoice_is_explained() -> None:
    page = (ROOT / "docs/invoices.md").read_text()
    section = page.partition("## What its workflow does next")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z ]+)` \|", section, re.MULTILINE)) == sorted(Step)


def test_what_the_audit_finds_is_explained_as_it_is_printed() -> None:
    page = (ROOT / "docs/audit.md").read_text()
    recurring = {
        f" ({command})": "" for command in re.findall(r"^\| [a-z ]+ \| (`perdure .+`) \|$", page, re.MULTILINE)
    }
    recurring |= {f" {cause}": "¹" for cause in re.findall(r"^¹ (.+)$", page, re.MULTILINE)}
    assert len(recurring) == 5
    items = re.findall(r"^- ((?:`\w+`(?:, )?)+): (.+?)\n(?=- |\n|\Z)", page, re.MULTILINE | re.DOTALL)
    explained = [(kind, " ".join(remedy.split())) for kinds, remedy in items for kind in re.findall(r"`(\w+)`", kinds)]
    printed = {kind: _shortened(remedy, recurring) for kind, remedy in REMEDIES.items()}
    assert dict(explained) == printed
    assert len(explained) == len(REMEDIES)
    assert sorted(re.findall(r"^\| `(\w+)` \| .+ \|$", page, re.MULTILINE)) == sorted(FindingKind)


def _shortened(remedy: str, recurring: dict[str, str]) -> str:
    """Return the remedy as docs/audit.md writes it: without the commands and the cause that the page says once."""
    for long, short in recurring.items():
        remedy = remedy.replace(long, short)
    return remedy


def test_the_table_of_failures_names_tests_that_exist() -> None:
    page = (ROOT / "docs/failures.md").read_text()
    rows = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert len(rows) >= 73
    assert rows == [str(number) for number in range(1, len(rows) + 1)]
    named = re.findall(r"`([a-z_0-9/]+\.py)(?:::(\w+))?`", page)
    assert len(named) >= len(rows)
    for path, test in named:
        source = (ROOT / "tests" / path).read_text()
        assert f"def {test}(" in source if test else "def test_" in source, f"{path}::{test}"


def test_the_threat_model_names_tests_and_files_that_exist() -> None:
    page = (ROOT / "docs/threat-model.md").read_text()
    named = re.findall(r"`([a-z_0-9/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 60
    for path, test in named:
        source = ROOT / "tests" / path if (ROOT / "tests" / path).exists() else ROOT / path
        text = source.read_text()
        assert not test or f"def {test}(" in text, f"{path}::{test}"
        assert test or "def test_" in text or "tests" not in source.parts, path
    attacks = re.findall(r"^- \*\*([^*]+)\*\*(.*?)$(?=\n(?:- |\n))", page, re.MULTILINE | re.DOTALL)
    assert len(attacks) > 40
    assert not [attack for attack, defense in attacks if not defense.strip()], "an attack that nothing stops"
    for family in re.findall(r"of (\d+) families", page):
        assert int(family) == len(FAMILIES)


def test_settings_that_the_documents_name_exist() -> None:
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    for document in DOCUMENTS:
        for name in re.findall(
            r"`((?:STRIPE|DATABASE|REPORT|BILLING|BILL|WEBHOOK|RATE|PAGE|FINALIZATION|METRICS|LOG|COLLECTION|DAYS)_[A-Z_]+)`",
            (ROOT / document).read_text(),
        ):
            assert name in known, f"{document}: {name}"


def test_every_page_is_in_the_index() -> None:
    named = {name.partition("#")[0] for name in LINK.findall((ROOT / "docs/README.md").read_text())}
    pages = {str(path.relative_to("docs")) for path in DOCUMENTS if path.parts[0] == "docs"}
    listed_by_their_own_index = {page for page in pages if page.startswith(("adr/", "on-call/"))}
    assert pages - listed_by_their_own_index - named == {"README.md"}


def test_every_page_for_on_call_is_in_its_index() -> None:
    named = {name.partition("#")[0] for name in LINK.findall((ROOT / "docs/on-call/README.md").read_text())}
    pages = {path.name for path in DOCUMENTS if path.parent == Path("docs/on-call")}
    assert pages - named == {"README.md"}
    for page in pages - {"README.md"}:
        text = (ROOT / "docs/on-call" / page).read_text()
        for part in ("**You see**", "**Why", "**Do", "**It is over**"):
            assert part in text, f"{page}: {part}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_import_columns_are_the_parsers(kind: Kind) -> None:
    section = (ROOT / "docs/imports.md").read_text().partition(f"## {kind.title()}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| .+ \| .+ \| `.+` \|$", section, re.MULTILINE)
    assert {column for column, _ in rows} == set(COLUMNS[kind])
    assert {column for column, required in rows if required == "yes"} == set(REQUIRED[kind])


def test_other_names_of_columns_are_those_of_the_code() -> None:
    page = (ROOT / "docs/imports.md").read_text().partition("## Other names of columns\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (both|instances|accounts) \| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    for kind in KINDS:
        documented = {column: tuple(re.findall(r"`(\w+)`", also)) for of, column, also in rows if of in (kind, "both")}
        assert documented == OTHER_NAMES[kind]
