"""The statement of a corrected invoice: it adds up to what was billed, and lists the correction's credit note."""

from __future__ import annotations

from decimal import Decimal

import pytest

from starter.statements.forms import StatementForm
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.credit_states import record_issued
from storage.postgres.database import Database
from storage.statements.reading import opened_statement
from tests.sheets.reading import opened, total, totals
from tests.statements.reading import HtmlPage, csv_rows, file_of, number, pages
from tests.statements.worlds import finalize, major
from tests.storage.corrections.correcting import KEY, bill, correct, notes, replace_facts
from tests.storage.usage import DAY, add_account, card, instance, may

BILLED = 8 * DAY + 2 * DAY
TOO_MUCH = 2 * DAY + 4 * DAY + DAY


async def lowered(db: Database) -> CreditNoteRecord:
    """Of one instance days are cut at either end, one has another class, and one belongs to another account."""
    await add_account(db)
    await bill(
        db,
        card(),
        instance("cut", may(2), may(6)),
        instance("gone", may(2), may(6)),
        instance("x", may(2), may(3), workspace_class="xl"),
    )
    await replace_facts(
        db,
        instance("cut", may(3), may(5)),
        instance("gone", may(2), may(6), attribution_id="team:other"),
        instance("x", may(2), may(3)),
    )
    await correct(db)
    (note,) = await notes(db)
    assert note.amount == TOO_MUCH
    return note


@pytest.mark.parametrize("issue", [False, True], ids=["requested", "issued"])
async def test_it_adds_up_to_what_was_billed(db: Database, *, issue: bool) -> None:
    note = await lowered(db)
    if issue:
        await record_issued(db, note.key, "cn_1", may(35))
    record = await finalize(db, KEY)
    async with opened_statement(db, record) as statement:
        assert [(each.reference, each.amount) for each in statement.credit_notes] == (
            [("correction-1", TOO_MUCH)] if issue else []
        )
        html, pdf, table, book = [await file_of(statement, form) for form in StatementForm]
    rows = csv_rows(table)
    assert sum(Decimal(row["amount"]) for row in rows) == major(BILLED, 2)
    minutes = {row["instance"]: Decimal(row["minutes"]) for row in rows if row["row"] == "usage"}
    assert minutes == {
        "cut": 4 * DAY,
        "gone": 4 * DAY,
        "x": DAY,
    }  # at a credit a minute, a day's credits are its minutes
    sheets = opened(book)
    for name in ("Lines", "Instances", "Projects"):
        assert total(sheets[name], "Amount") == major(BILLED, 2)
        assert totals(sheets[name], "Amount") == [major(BILLED, 2)]

    page = HtmlPage.read(html)
    (lines,) = page.tables["lines"]
    assert number(lines[-1][-1]) == major(BILLED, 2)
    credits = [number(row[-1]) for table in page.tables.get("notes", []) for row in table[1:]]
    assert credits == ([major(-TOO_MUCH, 2), major(BILLED - TOO_MUCH, 2)] if issue else [])
    assert ("Corrected usage" in pages(pdf)[0]) == issue
