"""One printer for all lists: it fits the terminal, breaks no id, and has a form for programs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from billing.errors import InputError
from starter.cli import output
from starter.cli.exits import CommandError
from starter.cli.output import console as streams
from tests.sheets.reading import column, opened, total, totals


@dataclass(frozen=True)
class Thing:
    """A row."""

    id: str
    state: str = "billed"
    minor: int | None = 1234
    at: datetime | None = None
    why: str | None = None


COLUMNS: list[output.Column[Thing]] = [
    output.Column("Key", lambda each: each.id),
    output.state("State", lambda each: each.state),
    output.amount("Amount", lambda each: each.minor, lambda each: "usd"),
    output.instant("Since", lambda each: each.at),
    output.Column("Why", lambda each: each.why, prose=True, show="room"),
    output.Column("Long name", lambda each: f"in_{each.id}", show="wide"),
]
LONG = "2022-05/" + "a" * 90 + "/period"
SENTENCE = "the API key is refused: give the Stripe worker a valid one, and the invoice goes on"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    return _stream(monkeypatch, 80)


def _stream(monkeypatch: pytest.MonkeyPatch, width: int | None) -> StringIO:
    written = StringIO()
    console = Console(
        file=written, width=width, force_terminal=width is not None, highlight=False, soft_wrap=True, no_color=True
    )
    monkeypatch.setattr(streams, "out", console)
    return written


async def show(*rows: Thing, form: str | None = None, sort: str | None = None, limit: int | None = None) -> None:
    shown = output.view(form, COLUMNS, as_json=False, sort=sort, limit=limit)
    await output.listing(rows, COLUMNS, shown, empty="No things.", title="Things")


def plain(written: StringIO) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue()).splitlines()]


async def test_nothing_is_said_in_words(terminal: StringIO) -> None:
    await show()
    assert plain(terminal) == ["No things."]


async def test_a_terminal_has_the_columns_for_which_there_is_room(terminal: StringIO) -> None:
    await show(Thing("2022-05/team:0b3c8f8a-9d5f-4b7c-9d1b-2f5f5b8f6a10/period", at=datetime(2022, 5, 1, tzinfo=UTC)))
    title, heading, row, hint = plain(terminal)
    assert title == "Things"
    assert heading.split() == ["Key", "State", "Amount"]
    assert row.split() == ["2022-05/team:0b3c8f8a-9d5f-4b7c-9d1b-2f5f5b8f6a10/period", "billed", "12.34", "USD"]
    assert hint == "(-o wide shows more columns)"


@pytest.mark.parametrize("rows", [[Thing("a", why=SENTENCE)], [Thing(LONG, why=SENTENCE), Thing("b", "blocked")]])
async def test_no_line_is_longer_than_the_terminal_but_for_an_id(rows: list[Thing], terminal: StringIO) -> None:
    await show(*rows)
    lines = plain(terminal)
    assert all(len(line) <= 80 for line in lines if line.strip() != LONG)
    words = " ".join(lines).split()
    for row in rows:
        assert row.id in words
        assert row.state in words
    assert set(SENTENCE.split()) <= set(words)


async def test_in_a_pipe_and_with_wide_all_columns_stand_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Thing(LONG, at=datetime.now(UTC) - timedelta(hours=3, minutes=5), why=SENTENCE)
    piped = _stream(monkeypatch, None)
    await show(row)
    (_, heading, line) = plain(piped)
    assert "Long name" not in heading
    assert SENTENCE in line
    assert "(3 h ago)" in line
    wide = _stream(monkeypatch, 80)
    await show(row, form="wide")
    assert f"in_{LONG}" in plain(wide)[2]


async def test_states_have_colours_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for width, colour, expected in ((80, True, True), (80, False, False), (None, True, False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        if not colour:
            monkeypatch.setenv("NO_COLOR", "1")
        written = StringIO()
        console = Console(
            file=written, width=width, force_terminal=width is not None, color_system="standard" if width else "auto"
        )
        monkeypatch.setattr(streams, "out", console)
        await show(Thing("a", "blocked"))
        assert ("\x1b[1;31mblocked" in written.getvalue()) == expected, written.getvalue()


def test_a_table_that_is_too_wide_becomes_paragraphs(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ((1, "default", "0.1666666667 from 2022-01-01", "111,816.00 h", None), (2, "xl", LONG, "1.00 h", "0.02 USD"))
    for width, expected in (
        (
            80,
            [
                "Lines",
                "Line 1",
                "  Class default · Rate 0.1666666667 from 2022-01-01 · Duration 111,816.00 h",
                "Line 2",
                "  Class xl",
                "  Rate",
                f"    {LONG}",
                "  Duration 1.00 h · Amount 0.02 USD",
            ],
        ),
        (
            None,
            [
                "Lines",
                f"Line  Class    Rate{' ' * (len(LONG) - 4)}  Duration        Amount",
                f"   1  default  0.1666666667 from 2022-01-01{' ' * (len(LONG) - 28)}  111,816.00 h         -",
                f"   2  xl       {LONG}  1.00 h        0.02 USD",
            ],
        ),
    ):
        written = _stream(monkeypatch, width)
        table = output.make_table("Lines", "Line", "Class", "Rate", "Duration", "Amount", right=("Line", "Amount"))
        for row in rows:
            output.add_row(table, *row)
        output.print_table(table)
        assert plain(written) == expected


def test_a_table_without_rows_is_its_title(terminal: StringIO) -> None:
    output.print_table(output.make_table("Lines", "Line", "Class"))
    assert plain(terminal) == ["Lines"]


async def test_csv_has_exact_values_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    await show(Thing("=1+1", minor=100_000_00, at=datetime(2022, 5, 1, tzinfo=UTC), why='so "so"'), form="csv")
    (row,) = csv.DictReader(StringIO(capsys.readouterr().out))
    assert row == {
        "key": "'=1+1",
        "state": "billed",
        "amount": "100000.00",
        "since": "2022-05-01T00:00:00.000000Z",
        "why": 'so "so"',
        "long_name": "in_=1+1",
    }


async def test_json_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    await show(Thing("a"), Thing("b", minor=None), form="json")
    first, second = json.loads(capsys.readouterr().out)
    assert (first["amount"], second["amount"], second["since"]) == ("12.34", None, None)
    await show(Thing("a"), Thing("b"), form="name")
    assert capsys.readouterr().out == "a\nb\n"
    await show(form="json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("sort", "limit", "order"),
    [
        ("amount", None, "bcad"),
        ("-amount", None, "acbd"),
        ("-Amount", 2, "ac"),
        ("key", 3, "abc"),
        (None, 1, "d"),
    ],
)
async def test_rows_are_sorted_by_value_and_limited(
    sort: str | None, limit: int | None, order: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await show(
        Thing("d", minor=None),
        Thing("a", minor=1000),
        Thing("b", minor=9),
        Thing("c", minor=50),
        form="name",
        sort=sort,
        limit=limit,
    )
    assert capsys.readouterr().out.split() == list(order)


async def test_a_limit_says_that_there_is_more_and_reads_no_further(terminal: StringIO) -> None:
    read = 0

    async def rows() -> AsyncIterator[Thing]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield Thing(f"t-{number}")

    shown = output.view(None, COLUMNS, as_json=False, limit=2)
    printed = await output.listing(rows(), COLUMNS, shown, empty="No things.")
    assert [each.id for each in printed] == ["t-0", "t-1"]
    assert plain(terminal)[-1] == "(2 rows; there are more: --limit N shows N, no --limit all)"
    assert read == 3


@pytest.mark.parametrize(
    ("form", "as_json", "sort", "limit", "said"),
    [
        (
            "xml",
            False,
            None,
            None,
            "-o xml: write one of table, wide, json, csv, xlsx, name, or a file's name that ends in .csv or .xlsx",
        ),
        ("csv", True, None, None, "--json and -o csv exclude each other"),
        (
            None,
            False,
            "colour",
            None,
            "--sort colour: write one of key, state, amount, since, why, long_name, or -NAME",
        ),
        (None, False, None, 0, "--limit 0: write a number of rows, at least 1"),
    ],
)
def test_wrong_options_are_one_line(
    form: str | None, as_json: bool, sort: str | None, limit: int | None, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        output.view(form, COLUMNS, as_json=as_json, sort=sort, limit=limit)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"), (1, "1 s ago"), (119, "1 min ago"), (3 * 3600 + 1, "3 h ago"), (86_400 * 40, "40 d ago"),
        (-90, "in 1 min"), (-86_400 * 2, "in 2 d"),
    ],
)  # fmt: skip
def test_relative_times(seconds: int, said: str) -> None:
    now = datetime(2022, 5, 1, tzinfo=UTC)
    assert output.ago(now - timedelta(seconds=seconds), now) == said


async def test_a_file_has_the_list_as_its_name_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Amounts are numbers with a total by currency, text of others is text, and a terminal gets no workbook."""
    things = (Thing("=1+1"), Thing("b", minor=-1, at=datetime(2022, 5, 1, tzinfo=UTC)), Thing("c", minor=None))
    currency: output.Column[Thing] = output.Column("Currency", lambda each: "USD", show="wide")
    columns = [*COLUMNS, currency]
    for name in ("things.xlsx", "things.csv"):
        shown = output.view(str(tmp_path / name), columns, as_json=False, sort="key")
        await output.listing(things, columns, shown, empty="No things.")
        assert capsys.readouterr().err == f"3 rows written to {tmp_path / name}\n"
    (table,) = opened((tmp_path / "things.xlsx").read_bytes()).values()
    assert table[0] == ("Key", "State", "Amount", "Since (UTC)", "Why", "Long name", "Currency")
    assert column(table, "Key") == ["=1+1", "b", "c"]
    assert column(table, "Since (UTC)")[1] == datetime(2022, 5, 1, tzinfo=UTC).replace(tzinfo=None)
    assert total(table, "Amount") == Decimal("12.33")
    assert totals(table, "Amount") == [Decimal("12.33")]
    assert (tmp_path / "things.csv").read_text().splitlines()[1].startswith("'=1+1,billed,12.34,")
    shown = output.view(str(tmp_path / "no" / "things.csv"), columns, as_json=False)
    with pytest.raises(CommandError, match=r"cannot write .*things\.csv: No such file or directory"):
        await output.listing(things, columns, shown, empty="No things.")


def test_a_terminal_gets_no_workbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(InputError, match=r"^XLSX cannot be shown in a terminal: name a file with -o FILE\.xlsx$"):
        output.view("xlsx", COLUMNS, as_json=False)
