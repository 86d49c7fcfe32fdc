"""What a statement says of an invoice that is no invoice yet, or no longer; hostile names; what it is made of."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from billing.errors import InputError, MismatchError
from billing.invoice.states import InvoiceState
from billing.statement.model import StatementExtent
from settings import load
from starter.statements.forms import StatementForm, file_name
from starter.statements.letterhead import Letterhead, Logo, Paper, letterhead
from starter.statements.pdf import MOST_ITEMS, StatementError
from storage.invoices.invoices import move_invoice, record_report
from storage.postgres.database import Database
from storage.postgres.roles import CONSOLE, OPERATOR, READER
from storage.reports.content import report_content
from storage.reports.store import ReportStore
from storage.statements.reading import opened_statement
from tests.statements.reading import HtmlPage, csv_rows, file_of, pages
from tests.statements.worlds import ODD, claimed_invoice, finalize, invoice, some_instances
from tests.storage.usage import execute, instance, may
from tests.support.roles import as_role

HOSTILE = (
    *("<script>alert(1)</script>", '#import "x": *', "$x^2$ *bold* @ref", "=HYPERLINK(1)", "{{ view }}", "\\u{41}"),
    *("a\u202eb\u0007c", "日本語の名前", "w" * 200),
)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c63606060f80f0001040100"
    "5fe5c34b0000000049454e44ae426082".replace(" ", "")
)


async def test_hostile_names_are_text_in_every_form(db: Database) -> None:
    rows = [
        instance(f"i-{number}{name}", may(2), may(2) + ODD, workspace_id=name, project_id=name)
        for number, name in enumerate(HOSTILE)
    ]
    claimed = await claimed_invoice(db, rows)
    await execute(db, "UPDATE account SET name = '<b>#evil *x*</b>'")
    record = await finalize(db, claimed.key)
    async with opened_statement(db, record) as statement:
        html, pdf, table, book = [await file_of(statement, form) for form in StatementForm]
    page = HtmlPage.read(html)
    assert b"<script" not in html
    assert b"<b>#evil" not in html
    cells = [cell for rows in page.tables["items"] for row in rows for cell in row]
    assert all(name in cells for name in HOSTILE)
    text = "".join(pages(pdf)).replace("\n", "")
    assert all(name[:9] in text for name in HOSTILE[:6])
    assert "<b>#evil *x*</b>" in text
    assert "a\ufffdb\ufffdc" in text
    assert "'=HYPERLINK(1)" in {row["workspace"] for row in csv_rows(table)}
    kinds = {cell.data_type for cell in openpyxl.load_workbook(io.BytesIO(book))["Instances"]["D"][1:-1]}
    assert kinds <= {"s", "n"}  # no formula; a rounding has an empty cell


async def _texts(db: Database, record: Any, store: ReportStore | None = None) -> tuple[str, str, set[str]]:
    async with opened_statement(db, record, store) as statement:
        html, pdf, table, _ = [await file_of(statement, form) for form in StatementForm]
    return html.decode(), "\n".join(pages(pdf)), {row["status"] for row in csv_rows(table)}


async def test_what_is_not_finalized_says_so_on_each_page(db: Database) -> None:
    record = await claimed_invoice(db, some_instances())
    html, pdf, status = await _texts(db, record)
    for text in (html, pdf):
        assert "Preview, not an invoice" in text
        assert "Total before discounts and tax" in text
        assert "Invoice number" not in text
    assert pdf.count("PREVIEW") == pdf.count("Page ")
    assert status == {"preview"}
    await execute(
        db,
        "UPDATE invoice SET state = 'blocked', resume_state = 'draft', blocked_reason = 'x', blocked_since = now()",
    )
    assert "Preview, not an invoice" in (await _texts(db, await invoice(db, record.key)))[0]


async def test_what_is_blocked_since_the_customer_has_it_is_no_preview(db: Database) -> None:
    record = await claimed_invoice(db, some_instances())
    await finalize(db, record.key)
    await execute(
        db, "UPDATE invoice SET state = 'blocked', resume_state = 'billed', blocked_reason = 'x', blocked_since = now()"
    )
    html, pdf, status = await _texts(db, await invoice(db, record.key))
    assert "In review. This invoice is being checked." in html
    assert "Preview" not in html
    assert pdf.count("IN REVIEW") == pdf.count("Page ")
    assert status == {"review"}


async def test_the_tax_of_an_invoice_that_is_rebuilt_is_not_known(db: Database) -> None:
    """Stripe's total is that of the invoice before."""
    claimed = await claimed_invoice(db, some_instances())
    await finalize(db, claimed.key, tax=300)
    await execute(db, "UPDATE invoice SET state = 'claimed'")
    async with opened_statement(db, await invoice(db, claimed.key)) as statement:
        assert (statement.adjustments, statement.total) == ((), claimed.amount)
        assert b"Total before discounts and tax" in await file_of(statement, StatementForm.HTML)


async def test_a_void_invoice_is_marked_and_its_usage_is_read_from_its_report(
    db: Database, report_store_url: str
) -> None:
    """Without a report store, it is read from the claims that the invoice held."""
    claimed = await claimed_invoice(db, some_instances())
    store = ReportStore(report_store_url)
    report = await store.publish("2022-05", "team:a", report_content(db, claimed))
    await record_report(db, claimed.key, report.report_id)
    await finalize(db, claimed.key)
    await move_invoice(db, claimed.key, InvoiceState.VOIDED, may(35))
    record = await invoice(db, claimed.key)
    of_history = await _texts(db, record)
    await execute(db, "DELETE FROM claim_history")
    html, pdf, status = await _texts(db, record, store)
    assert (html, pdf, status) == of_history
    assert "Voided on 4 June 2022" in pdf
    assert "Nothing is owed" in html
    assert pdf.count("VOIDED") == pdf.count("Page ")
    assert status == {"voided"}
    with pytest.raises(MismatchError):
        await _texts(db, record)


async def test_credit_notes_and_refunds_are_on_it_and_change_no_total(db: Database) -> None:
    claimed = await claimed_invoice(db, some_instances())
    record = await finalize(db, claimed.key)
    await execute(
        db,
        "INSERT INTO credit_note (key, invoice_id, kind, amount, currency, settle_to, reason, state,"
        " stripe_credit_note_id, issued_at) SELECT invoice.key || '/credit/' || s.state, id, 'amount', 50, 'usd',"
        " 'balance', 'outage of 3 May', s.state, CASE WHEN s.state = 'issued' THEN 'cn_1' END, '2022-06-05T00:00:00Z'"
        " FROM invoice, unnest(ARRAY['issued', 'requested']) AS s(state)",
    )
    await execute(
        db,
        "INSERT INTO refund (stripe_refund_id, invoice_id, amount, currency, status, reason, created_at)"
        " SELECT 're_1', id, 20, 'usd', 'succeeded', 'requested_by_customer', '2022-06-06T00:00:00Z' FROM invoice",
    )
    html, pdf, _ = await _texts(db, record)
    for text in (html, pdf):
        assert text.count("outage of 3 May") == 1
        assert "cn_1" in text
        assert "re_1" in text
        assert "Subtotal less credit notes, before tax" in text


async def test_a_statement_without_usage_has_every_form(db: Database) -> None:
    record = await claimed_invoice(db, some_instances())
    async with opened_statement(db, record) as full:
        nothing: dict[str, Any] = {"amount": 0, "total": 0, "credits": Decimal(0), "extent": StatementExtent()}
        empty = replace(full, lines=(), projects=(), **nothing)
        html, pdf, table, book = [await file_of(empty, form) for form in StatementForm]
    assert "No usage." in html.decode()
    assert "No usage." in pages(pdf)[0]
    assert csv_rows(table) == []
    assert openpyxl.load_workbook(io.BytesIO(book))["Lines"]["A2"].value == "No usage."


async def test_a_file_holds_all_it_needs_and_is_always_the_same(db: Database) -> None:
    claimed = await claimed_invoice(db, some_instances())
    record = await finalize(db, claimed.key)
    head = Letterhead("Example Ltd", ("1 Harbour Street", "VAT IE1234567X"), Logo("png", PNG), Paper.LETTER)
    async with opened_statement(db, record) as statement:
        first, second = [[await file_of(statement, form, head) for form in StatementForm] for _ in range(2)]
        assert file_name(statement, StatementForm.PDF) == "statement-2022-05-team_a-period.pdf"
    assert first == second
    page = HtmlPage.read(first[0])
    assert [address.split(",")[0] for address in page.addresses] == ["data:image/png;base64"]
    assert b"default-src &#39;none&#39;" in first[0]
    assert b"http" not in first[0].replace(b"http-equiv", b"")
    assert "VAT IE1234567X" in pages(first[1])[0]


async def test_a_pdf_of_too_many_instances_names_the_other_forms(db: Database) -> None:
    record = await claimed_invoice(db, some_instances(2))
    async with opened_statement(db, record) as statement:
        many = replace(statement, extent=replace(statement.extent, items=MOST_ITEMS + 1))
        with pytest.raises(StatementError, match="50,001 instances are too many for a PDF"):
            await file_of(many, StatementForm.PDF)


@pytest.mark.parametrize("role", [OPERATOR, READER, CONSOLE])
async def test_who_reads_invoices_reads_statements(db: Database, role: str) -> None:
    record = await claimed_invoice(db, some_instances())
    own = Database(as_role(f"postgresql://{db.place}", role), 1)
    try:
        async with opened_statement(own, record) as statement:
            assert b"Blue Ocean &amp; Sons" in await file_of(statement, StatementForm.HTML)
    finally:
        await own.close()


async def test_a_claim_that_is_gone_refuses_the_statement(db: Database) -> None:
    record = await claimed_invoice(db, some_instances())
    await execute(db, "DELETE FROM claim WHERE instance_id = 'i-0001'")
    with pytest.raises(
        MismatchError, match=r"^the statement of 2022-05/team:a/period is refused: .*duration_us of line 1"
    ):
        async with opened_statement(db, record):
            pass


def test_a_logo_is_a_small_picture(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    for content, why in (
        (None, "cannot be read: No such file"),
        (b"GIF89a", "is neither a PNG nor an SVG"),
        (PNG + bytes(1024 * 1024), "is larger than 1 MB"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=f"^COMPANY_LOGO: .*{why}"):
            letterhead(load(company_logo=path))
    path.write_bytes(PNG)
    assert letterhead(load(company_logo=path, company_address="a; b;;c")).address == ("a", "b", "c")
