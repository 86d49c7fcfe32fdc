"""Every form of a statement adds up, from each instance to the invoice's total, in every kind of currency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import pytest

from billing.pricing.rating import RateCard
from starter.statements.forms import StatementForm
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from storage.statements.reading import opened_statement
from tests.sheets.reading import opened, total, totals
from tests.statements.reading import HtmlPage, csv_rows, file_of, number, pages
from tests.statements.worlds import claimed_invoice, finalize, major, odd_card, some_instances
from tests.storage.adjusting import CARD, JUNE, MAY, owing_world
from tests.storage.usage import DAY, graduated, june


def _last(rows: Sequence[Sequence[str]], *, but: int = 0) -> Decimal:
    return sum((number(row[-1]) for row in rows[: len(rows) - but]), Decimal(0))


@pytest.mark.parametrize(
    ("currency", "decimals", "rates"),
    [
        ("usd", 2, odd_card()),
        ("usd", 2, graduated("40", minimum_charge={})),
        ("jpy", 0, odd_card()),
        ("kwd", 3, odd_card()),
        ("isk", 2, odd_card()),
    ],
    ids=["usd", "tiers", "jpy", "kwd", "isk"],
)
async def test_each_form_adds_up_to_the_total(db: Database, currency: str, decimals: int, rates: RateCard) -> None:
    claimed = await claimed_invoice(db, some_instances(), rates, currency)
    record = await finalize(db, claimed.key, discount=100, tax=300)
    subtotal, whole = major(record.amount, decimals), major(record.amount + 200, decimals)
    async with opened_statement(db, record) as statement:
        html, pdf, table, book = [await file_of(statement, form) for form in StatementForm]

    rows = csv_rows(table)
    assert sum(Decimal(row["amount"]) for row in rows) == whole
    assert {row["row"] for row in rows} >= {"usage", "rounding", "stripe"}
    sheets = opened(book)
    assert total(sheets["Lines"], "Amount") == whole
    assert totals(sheets["Lines"], "Amount") == [whole]
    for name in ("Instances", "Projects"):
        assert total(sheets[name], "Amount") == subtotal
        assert totals(sheets[name], "Amount") == [subtotal]

    page = HtmlPage.read(html)
    (lines,), (projects,) = page.tables["lines"], page.tables["projects"]
    *body, (_, stripes) = lines[1:]
    assert number(stripes) == whole
    shown = [row for row in body if len(row) == 5]
    assert _last(shown) == subtotal
    assert _last([row for row in body if row[0] in ("Discounts", "Tax")]) == whole - subtotal
    assert _last(projects[1:], but=1) == number(projects[-1][-1]) == subtotal
    for section, line in zip(page.tables["items"], [row for row in shown if row[2]], strict=True):
        *items, of_items, rounding, of_line = section[1:]
        assert _last(items) == number(of_items[-1])
        assert number(of_items[-1]) + number(rounding[-1]) == number(of_line[-1]) == number(line[-1])
    assert f"Total {stripes}" in pages(pdf)[0]


async def test_a_long_statement_is_bound_from_parts(db: Database) -> None:
    """Each instance is on it once, pages are numbered through, and the sums are on the last pages."""
    record = await claimed_invoice(db, some_instances(2300))
    async with opened_statement(db, record) as statement:
        found = pages(await file_of(statement, StatementForm.PDF))
    text = "\n".join(found)
    assert sorted(re.findall(r"(?<!ws-)i-[0-9]{4}", text)) == [f"i-{number:04}" for number in range(2300)]
    assert [f"Page {number} of {len(found)}" in page for number, page in enumerate(found, 1)] == [True] * len(found)
    assert "continued" in text
    assert text.count("Rounding") == 3  # of two lines, and among the projects


async def test_a_line_that_charges_a_correction_adds_up(db: Database) -> None:
    await owing_world(db)
    await claim_page(db, june(), CARD)
    record = await finalize(db, JUNE)
    async with opened_statement(db, record) as statement:
        html, _, table, book = [await file_of(statement, form) for form in StatementForm]
    rows = csv_rows(table)
    assert sum(Decimal(row["amount"]) for row in rows) == major(DAY + 700, 2)
    assert [(row["line"], Decimal(row["amount"])) for row in rows if row["row"] == "adjustment"] == [("2", Decimal(7))]
    assert totals(opened(book)["Lines"], "Amount") == [major(DAY + 700, 2)]
    (lines,) = HtmlPage.read(html).tables["lines"]
    assert any(f"Correction of invoice {MAY}" in cell for row in lines for cell in row)
