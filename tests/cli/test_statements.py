"""`perdure invoices statement`: which file it writes, and where."""

from __future__ import annotations

import asyncio

import pytest

from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.cli.terminal import on_terminal
from tests.statements.worlds import claimed_invoice, finalize, some_instances

KEY = "2022-05/team:a/period"


@pytest.fixture
async def billed(db: Database, database_url: str, perdure: Perdure) -> Perdure:
    """A database with one billed invoice."""
    await claimed_invoice(db, some_instances(3))
    await finalize(db, KEY, tax=25)
    perdure.settings |= {"DATABASE_URL": database_url, "COMPANY_NAME": "Example Compute Ltd"}
    return perdure


async def test_the_files_name_tells_the_format(billed: Perdure) -> None:
    named = ("may.pdf", "may.XLSX", "may.csv", "may.htm")
    runs = await asyncio.gather(*(billed("invoices", "statement", KEY, "--to", name) for name in named))
    assert [(run.status, run.out, run.err) for run in runs] == [
        (0, "", f"The statement of {KEY} is written to {name}\n") for name in named
    ]
    starts = [(billed.cwd / name).read_bytes()[:4] for name in named]
    assert starts == [b"%PDF", b"PK\x03\x04", b"invo", b"<!do"]
    assert sorted(path.name for path in billed.cwd.iterdir()) == sorted(named)  # nothing is left behind


async def test_standard_output_gets_html_or_what_is_asked_for(billed: Perdure) -> None:
    page, table = await asyncio.gather(
        billed("invoices", "statement", KEY), billed("invoices", "statement", "a1b2c3d4-0007", "--format", "csv")
    )
    assert (page.status, table.status) == (0, 0)
    assert "Example Compute Ltd" in page.out
    assert "Blue Ocean &amp; Sons" in page.out
    assert table.out.startswith("invoice,status,row,line,")
    assert f"\n{KEY},open,stripe,,Tax," in table.out


async def test_one_clear_line_for_what_cannot_be_written(billed: Perdure) -> None:
    async def refused(*words: str, logo: str = "") -> str:
        return (await billed("invoices", "statement", *words, COMPANY_LOGO=logo)).error

    assert await refused(KEY, "--format", "doc") == "--format 'doc': write html, pdf, csv, xlsx"
    assert await refused(KEY, "--to", "may") == (
        "the name of may does not tell the format: add --format, one of html, pdf, csv, xlsx"
    )
    assert "there is no invoice '2022-04/team:a/period'" in await refused("2022-04/team:a/period")
    assert await refused(KEY, "--to", "none/may.csv") == "cannot write none/may.csv: No such file or directory"
    assert "COMPANY_LOGO: none.svg cannot be read" in await refused(KEY, logo="none.svg")
    status, said = await on_terminal(("invoices", "statement", KEY, "--format", "pdf"), billed.cwd, billed.settings)
    assert (status, said.splitlines()[-1]) == (
        2,
        "perdure: PDF cannot be shown in a terminal: name a file with --to FILE",
    )


async def test_config_check_reads_the_logo(perdure: Perdure) -> None:
    (perdure.cwd / "logo.png").write_bytes(b"no picture")
    wrong = await perdure("config", "check", COMPANY_LOGO="logo.png")
    assert (wrong.status, "✗ COMPANY_LOGO: logo.png is neither a PNG nor an SVG" in wrong.out) == (2, True)
    other = await perdure("config", "check", COMPANY_LOGO="logo.gif")
    assert "✗ COMPANY_LOGO: 'logo.gif' is neither a PNG nor an SVG: write a path such as logo.svg" in other.out
