"""`perdure export`: the sums of its sheets are the totals of the period, to the cent, in every currency."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoice.states import InvoiceState
from billing.money import to_major
from tests.cli.conftest import Perdure
from tests.sheets.reading import Table, column, computed, formulas, opened, place, total
from tests.support.system import System

HOSTILE = '=HYPERLINK("http://example.com","Acme")'


async def _month(system: System, perdure: Perdure) -> None:
    """Bill May: two invoices in USD, of which one is voided, one in EUR that is credited, one in JPY; and the rest."""
    for account, currency in (("a", "usd"), ("b", "usd"), ("c", "eur"), ("d", "jpy"), ("e", "usd")):
        await system.add_account(f"team:{account}", ("2022-05-01", None), currency=currency)
    await system.add_account("team:f", ("2022-05-20", None))
    for number, account in enumerate("abcd", 1):
        end = f"2022-05-0{4 + number}T07:12:34.567891"
        await system.add_instance(f"i-{account}", f"team:{account}", "2022-05-03T11:00", end)
        await system.add_instance(f"x-{account}", f"team:{account}", "2022-05-07T23:30", "2022-05-08T00:45", "xl")
    await system.add_instance("i-f", "team:f", "2022-05-03", "2022-05-04")  # before its window
    await system.run_period()
    perdure.settings |= {"RATE_CARD": str(system.settings.rate_card), "PERDURE_ENVIRONMENT_ONLY": "1"}
    for command in (
        ("void", "2022-05/team:b/period", "--reason", "twice", "--yes"),
        ("credit", "2022-05/team:c/period", "--amount", "1.23", "--reason", "=outage", "--yes"),
    ):
        assert (await perdure("invoices", *command)).status == 0
    await system.until_state("2022-05/team:b/period", InvoiceState.VOIDED)
    await system.add_instance("i-e", "team:e", "2022-05-30", "2022-05-31")  # was not known to the run
    async with system.db.transaction() as connection:
        await connection.execute(
            text("UPDATE account SET name = :name WHERE attribution_id = 'team:a'"), {"name": HOSTILE}
        )
        await connection.execute(
            text(
                "INSERT INTO refund (stripe_refund_id, invoice_id, amount, currency, status, reason, created_at) "
                "SELECT 're_1', id, 50, currency, 'succeeded', '', now() FROM invoice WHERE key LIKE '%team:a%'"
            )
        )


def _by_currency(table: Table, name: str) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for currency, value in zip(column(table, "Currency"), column(table, name), strict=True):
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(value)
    return sums


def _status(document: dict[str, Any]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Return what `period status` says by currency: invoices that are not dead, and credits."""
    live: dict[str, Decimal] = {}
    for state, amounts in document["totals"].items():
        for currency, minor in amounts.items():
            amount = to_major(minor, currency) if state not in ("voided", "deleted") else Decimal(0)
            live[currency.upper()] = live.get(currency.upper(), Decimal(0)) + amount
    return live, {code.upper(): to_major(minor, code) for code, minor in document["credited"].items()}


async def test_every_sheet_adds_up_to_the_period(system: System, perdure: Perdure) -> None:
    await _month(system, perdure)
    made, status, folder, summary = await asyncio.gather(
        perdure("export", "2022-05", "--to", "may.xlsx"),
        perdure("period", "status", "2022-05", "--json"),
        perdure("export", "2022-05", "--format", "csv", "--to", "may"),
        perdure("summary", "2022-05", "-o", "csv"),
    )
    assert (made.status, made.err) == (0, "2022-05 written to may.xlsx\n")
    content = (perdure.cwd / "may.xlsx").read_bytes()
    sheets = opened(content)
    assert list(sheets) == [
        *("Summary", "Check", "Invoices", "Lines", "Usage by day", "Credits", "Refunds", "Excluded", "Unbilled"),
        "About",
    ]
    live, credited = _status(status.document)
    invoices = sheets["Invoices"]
    assert set(live) == {"USD", "EUR", "JPY"}
    assert _by_currency(sheets["Lines"], "Amount") == _by_currency(sheets["Usage by day"], "Amount") == live
    net = {currency: amount - credited.get(currency, 0) for currency, amount in live.items()}
    summed = {row["currency"]: Decimal(row["net"]) for row in csv.DictReader(io.StringIO(summary.out))}
    assert _by_currency(invoices, "Net") == summed == _by_currency(sheets["Summary"], "Net") == net
    assert _by_currency(sheets["Credits"], "Counts") == credited == {"EUR": Decimal("1.23")}
    assert total(sheets["Refunds"], "Counts") == Decimal("0.50")
    assert set(column(sheets["Check"], "Difference")) == {0}
    assert column(sheets["Check"], "Perdure's total") == column(sheets["Check"], "Sum of the sheet")
    assert column(invoices, "Name")[0] == HOSTILE
    assert column(sheets["Credits"], "Reason") == ["=outage"]
    assert column(sheets["Excluded"], "In words") == ["the account had no subscription then"]
    assert column(sheets["Unbilled"], "Account") == ["team:b", "team:e"]
    _formulas_have_what_they_show(content, sheets)
    assert folder.status == 0
    _files_say_the_same(perdure.cwd / "may", sheets)


def _formulas_have_what_they_show(content: bytes, sheets: dict[str, Table]) -> None:
    """The totals are computed again from the cells; checks refer to totals."""
    found = formulas(content)
    for name, by_cell in found.items():
        for cell, formula in by_cell.items():
            if name != "Check":
                table = sheets[name]
                letters = cell.rstrip("0123456789")
                shown = table[int(cell.removeprefix(letters)) - 1][place(letters)]
                assert Decimal(shown) == computed(content, formula), (name, cell)
    assert found["Check"]["E2"].startswith("='Invoices'!G")


def _files_say_the_same(folder: Path, sheets: dict[str, Table]) -> None:
    assert sorted(path.stem for path in folder.iterdir()) == sorted(name.lower().replace(" ", "-") for name in sheets)
    for name, sheet in sheets.items():
        with (folder / f"{name.lower().replace(' ', '-')}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(column(sheet, sheet[0][0])), name
        if "Amount" in sheet[0]:
            assert sum(Decimal(row["amount"]) for row in rows) == total(sheet, "Amount")
    assert (folder / "credits.csv").read_text().count("'=outage") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "xml"), "--format 'xml': write xlsx or csv"),
        (("--sheets", "lines,month"), "--sheets 'month': write some of summary,check,invoices,lines,usage-by-day,"),
        (
            ("--sheets", "summary,check"),
            "--sheets summary,check: check needs the sheets that it compares, some of invoices,",
        ),
        (("--format", "csv"), "CSV is a file for each sheet: name a folder with --to, or one sheet with --sheets"),
        (("--format", "csv", "--to", "may.csv"), "--to may.csv: CSV is a file for each sheet: name a folder"),
        (("--to", "no/may.xlsx"), "cannot write no/may.xlsx: No such file or directory"),
    ],
)
async def test_wrong_use_is_one_line(
    perdure: Perdure, database_url: str, arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    assert (await perdure("export", "2022-05", *arguments)).error.startswith(said)


async def test_a_sheet_that_does_not_add_up_is_said(perdure: Perdure, database_url: str, system: System) -> None:
    """Days that went astray: the workbook is written, shows the difference, and the status is 3."""
    system.audited = False
    await system.add_account("team:astray", ("2022-05-01", None))
    await system.add_instance("i-1", "team:astray", "2022-05-03", "2022-05-05")
    await system.run_period()
    async with system.db.transaction() as connection:
        await connection.execute(text("DELETE FROM invoice_day WHERE day = '2022-05-04'"))
    perdure.settings["RATE_CARD"] = str(system.settings.rate_card)
    done = await perdure("export", "2022-05", "--to", "may.xlsx")
    assert done.status == 3
    assert (
        "the sheet Usage by day adds up to 8.64 USD, and not to 17.28 USD (Settled invoices by day)\n"
        "`perdure audit --period 2022-05` finds out why\n"
    ) in done.err
    check = opened((perdure.cwd / "may.xlsx").read_bytes())["Check"]
    assert column(check, "Difference") == [0, 0, 0, 0, Decimal("-8.64"), 0]
    by_pipe = await perdure("export", "2022-05", "--format", "csv", "--sheets", "usage-by-day")
    assert by_pipe.status == 3
    assert len(by_pipe.out.splitlines()) == 2
