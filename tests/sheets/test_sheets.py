"""Text stays text, amounts are exact, totals are sums, and a long table continues on a second sheet."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from starter.sheets import Cell, Formula, Money, Row, Sheet, SheetBook, SheetColumn, StrongRow, csv_chunks, write_xlsx
from tests.sheets.reading import column, computed, formulas, opened, total, totals

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://example.com")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "<r><t>rich</t></r>",
    "<b>&amp;</b>",
    "{=1}",
    "http://example.com",
    "0012",
    "1E5",
    "2022-05-01",
    "nul\x00 and bell\x07",
    "_x0041_",
    "Ü" * 40_000,
]
MONEY = (SheetColumn("Who"), SheetColumn("Currency", currency=True), SheetColumn("Amount", total=True))


async def xlsx(*sheets: Sheet) -> bytes:
    file = io.BytesIO()
    await write_xlsx(sheets, file)
    return file.getvalue()


async def as_csv(sheet: Sheet) -> list[list[str]]:
    content = b"".join([chunk async for chunk in csv_chunks(sheet)])
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


async def test_text_of_others_stays_text() -> None:
    rows = [[text] for text in HOSTILE]
    content = await xlsx(Sheet("Names", (SheetColumn("Name"),), rows))
    assert formulas(content) == {"Names": {}}
    book = openpyxl.load_workbook(io.BytesIO(content))
    kinds = {cell.data_type for (cell,) in book["Names"].iter_rows(min_row=2)}
    assert kinds <= {"s", "inlineStr"}
    assert not any(cell.hyperlink for (cell,) in book["Names"].iter_rows())
    read = column(opened(content)["Names"], "Name")
    assert read[:3] == HOSTILE[:3]
    assert read[8] == " <r><t>rich</t></r>"
    assert len(read[-1]) == 32_767
    written = await as_csv(Sheet("Names", (SheetColumn("Name"),), rows))
    assert not any(row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in written)


AT = datetime(2022, 5, 1, 12, 30, 15, tzinfo=timezone(timedelta(hours=2)))
VALUES: list[tuple[Cell, object, str, str]] = [
    ("i-1", "i-1", "@", "i-1"),
    (1_234_567, 1_234_567, "#,##0", "1234567"),
    (Decimal("0.1666666667"), Decimal("0.1666666667"), "#,##0.############", "0.1666666667"),
    (Money.of(1234, "usd"), Decimal("12.34"), "#,##0.00", "12.34"),
    (Money.of(1234, "jpy"), 1234, "#,##0", "1234"),
    (Money.of(1230, "kwd"), Decimal("1.23"), "#,##0.000", "1.230"),
    (AT, AT.astimezone(UTC).replace(tzinfo=None), "yyyy-mm-dd hh:mm:ss", "2022-05-01T10:30:15.000000Z"),
    (date(2022, 5, 1), datetime(2022, 5, 1, tzinfo=UTC).replace(tzinfo=None), "yyyy-mm-dd", "2022-05-01"),
    (Money(Decimal("0E-8"), "usd"), 0, "#,##0.00", "0.00000000"),
    (True, True, "General", "true"),
    (None, None, "General", ""),
]
"""A value, how it is read from XLSX, its number format there, and its form in CSV."""


async def test_values_keep_their_types() -> None:
    sheet = Sheet("All", [SheetColumn(f"c{n}") for n in range(len(VALUES))], [[value for value, *_ in VALUES]])
    content = await xlsx(sheet)
    assert list(opened(content)["All"][1]) == [read for _, read, _, _ in VALUES]
    page = openpyxl.load_workbook(io.BytesIO(content))["All"]
    assert [cell.number_format for cell in page[2]] == [shown for _, _, shown, _ in VALUES]
    assert page.freeze_panes == "A2"
    assert (page.page_setup.orientation, page.print_title_rows) == ("landscape", "$1:$1")
    assert (page.sheet_properties.pageSetUpPr.fitToPage, page.page_setup.fitToHeight) == (True, 0)
    assert (await as_csv(sheet))[1] == [text for *_, text in VALUES]


async def test_each_currency_has_its_own_total_and_the_formulas_say_the_same() -> None:
    rows: list[Row] = [["a", "USD", Money.of(n, "usd")] for n in range(1, 1000)]
    rows += [["b", "EUR", Money.of(5, "eur")], ["c", "JPY", Money.of(70, "jpy")], ["d", "EUR", Money.of(-2, "eur")]]
    rows.append(StrongRow(["in words", "USD", Money.of(1, "usd")]))
    content = await xlsx(Sheet("Money", MONEY, rows))
    table = opened(content)["Money"]
    assert table[-3:] == [
        ("Total", "EUR", Decimal("0.03")),
        ("Total", "JPY", 70),
        ("Total", "USD", Decimal("4995.01")),
    ]
    found = [computed(content, formula) for formula in formulas(content)["Money"].values()]
    assert found == totals(table, "Amount")


async def test_the_total_of_a_count_is_no_amount() -> None:
    columns = (*MONEY, SheetColumn("Invoices", total=True))
    content = await xlsx(Sheet("Money", columns, [["a", "USD", Money.of(150, "usd"), 2]]))
    (_, _, amount, invoices) = list(openpyxl.load_workbook(io.BytesIO(content))["Money"])[-1]
    assert (amount.number_format, invoices.number_format) == ("#,##0.00", "#,##0.############")


async def test_a_long_table_continues_and_its_totals_are_of_all_parts() -> None:
    async def rows() -> AsyncIterator[Row]:
        for number in range(150):
            yield [f"i-{number}", "USD", Money.of(number, "usd")]

    file = io.BytesIO()
    async with SheetBook(rows=100) as book:
        book.reserve("First")
        written = await book.write(Sheet("Its lines", MONEY, rows()))
        amount = written.totals["Amount", "USD"]
        await book.write(Sheet("First", (SheetColumn("Of all"),), [[Formula(f"={amount.cell}", amount.value)]]))
        await book.save(file)
    tables = opened(file.getvalue())
    assert list(tables) == ["First", "Its lines", "Its lines (2)", "Its lines (3)"]
    assert tables["Its lines"][-1][0] == "continues on the sheet Its lines (2)"
    assert written.rows == 150
    assert amount.value == sum((total(t, "Amount") for n, t in tables.items() if n != "First"), Decimal(0))
    assert totals(tables["Its lines (3)"], "Amount") == [amount.value] == [Decimal("111.75")]
    (formula,) = formulas(file.getvalue())["Its lines (3)"].values()
    assert computed(file.getvalue(), formula) == amount.value
    assert tables["First"][1] == (Decimal("111.75"),)
    assert formulas(file.getvalue())["First"] == {"A2": "='Its lines (3)'!C34"}


async def test_nothing_says_so_and_the_same_content_has_the_same_bytes() -> None:
    nothing = Sheet("Nothing", MONEY, [], empty="No invoices.")
    assert opened(await xlsx(nothing))["Nothing"] == [("Who", "Currency", "Amount"), ("No invoices.", None, None)]
    assert await xlsx(nothing) == await xlsx(nothing)


async def test_a_failure_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Sequence[Row]:
        raise RuntimeError("the database is away")

    async def failing() -> AsyncIterator[Row]:
        yield ["a", "USD", Money.of(1, "usd")]
        rows()

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match="away"):
        await xlsx(Sheet("Money", MONEY, failing()))
    assert list(tmp_path.iterdir()) == []


_MANY = """
import asyncio, io, resource, sys
from starter.sheets import Money, Sheet, SheetColumn, write_xlsx

COLUMNS = [SheetColumn("Instance"), SheetColumn("Currency", currency=True), SheetColumn("Amount", total=True)]

async def rows(count):
    for number in range(count):
        yield [f"i-{number}-{'x' * 200}", "USD", Money.of(number, "usd")]

async def main():
    for count in (1000, 100_000):
        with open("/dev/null", "wb") as file:
            (written,) = await write_xlsx([Sheet("Lines", COLUMNS, rows(count))], file)
        assert written.rows == count
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

asyncio.run(main())
"""


def test_memory_stays_flat() -> None:
    """100,000 rows with 20 MB of text need no more memory than 1,000."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _MANY],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    few, many = map(int, done.stdout.split())
    assert many - few < 8 * 1024, f"{(many - few) / 1024:.1f} MB more"
