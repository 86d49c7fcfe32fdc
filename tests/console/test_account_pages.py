"""The pages of an invoice and of accounts show what the command line says of the same, and add up."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from tests.console.month import BLUE, GREY, KEY, NAME, MonthOnPages, rows, words


async def test_an_invoice_adds_up_and_says_what_happened(month: MonthOnPages) -> None:
    shown = await month.document("invoices", "show", KEY)
    explained = await month.document("explain", "--invoice", KEY)
    page = await month.page(f"/invoices/{KEY}")
    lines = rows(page, "Lines")
    assert [row[1] for row in lines[:-1]] == [line["workspace_class"] for line in shown["lines"]]
    assert [row[-1] for row in lines] == ["17.28 USD", "8.64 USD", "25.92 USD"]
    assert sum(line["amount"] for line in shown["lines"]) == shown["amount"] == 2592
    money = rows(page, "From the invoice's amount")
    assert [row[1] for row in money] == ["25.92 USD", "-2.50 USD", "23.42 USD"]
    assert explained["why"] in words(page)
    worth = {row[0]: Decimal(row[-1]) for row in rows(page, "Instances, by id")}
    assert worth == {"blue-1": Decimal("17.28"), "blue-xl": Decimal("8.64")}
    happened = words(page).partition("What happened")[2]
    order = [happened.index(each) for each in ("Created for", "Draft in Stripe", "Finalized in Stripe", "Billed:")]
    assert order == sorted(order)
    assert "Credit note of 2.50 USD issued" in happened
    assert "<script>" not in page
    assert "Blue &lt;b&gt;" in page


async def test_an_invoice_is_found_by_what_stripe_calls_it(month: MonthOnPages) -> None:
    record = await month.system.invoice(KEY)
    seen = await month.browser.get(f"/invoices/{record.stripe_invoice_id}")
    assert (seen.status, seen.headers["Location"]) == (302, f"/invoices/{KEY}")


async def test_accounts_have_what_the_command_says(month: MonthOnPages) -> None:
    shown = await month.document("accounts", "show", BLUE)
    listed = rows(await month.page("/accounts"), "Accounts, by id")
    assert [row[0] for row in listed] == [f"{NAME} {BLUE}", GREY]
    assert shown["unpaid"] == {"usd": 2342}
    assert listed[0][3] == "23.42 USD"
    page = await month.page(f"/accounts/{BLUE}")
    assert f"{NAME} {BLUE}" in words(page)
    estimate = rows(page, "Estimate: unbilled usage")
    assert estimate[-1][-1] == "2.52 USD"
    assert [each["amount"] for each in shown["usage"]] == [252]
    invoices = rows(page, "The newest invoices")
    assert [(row[0], row[-2]) for row in invoices] == [(KEY, "23.42 USD")]
    table = list(csv.DictReader(io.StringIO((await month.browser.get("/accounts.csv")).text)))
    assert [(row["Account"], row["Unpaid"]) for row in table] == [(BLUE, "23.42"), (GREY, "4.08")]


async def test_an_account_is_searched_and_paged(month: MonthOnPages) -> None:
    assert [row[0] for row in rows(await month.page("/accounts?text=SONS"), "Accounts, by id")] == [f"{NAME} {BLUE}"]
    assert "No account matches." in await month.page("/accounts?text=nobody")
    assert [row[0] for row in rows(await month.page(f"/accounts?after={BLUE}"), "Accounts, by id")] == [GREY]


@pytest.mark.parametrize("path", ["/invoices/2022-05/team:blu/period", "/invoices/in_none", "/accounts/team:blu"])
async def test_what_is_not_there_is_said_with_what_is_near(month: MonthOnPages, path: str) -> None:
    page = await month.page(path, 404)
    assert "There is no such" in page
    assert BLUE in words(page).partition("What may be meant")[2] or path.endswith("in_none")


async def test_the_page_is_whole_without_temporal(month: MonthOnPages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    async with month.another_console() as browser:
        seen = await browser.get(f"/invoices/{KEY}")
    assert seen.status == 200
    assert "Temporal does not answer" in seen.text
    assert "23.42" in words(seen.text)


async def test_a_statement_is_downloaded_and_adds_up(month: MonthOnPages) -> None:
    page = await month.page(f"/invoices/{KEY}")
    for form in ("pdf", "html", "csv", "xlsx"):
        assert f'href="/statements/{KEY}.{form}"' in page
    seen = await month.browser.get(f"/statements/{KEY}.csv")
    assert seen.status == 200
    assert seen.headers["Content-Disposition"].startswith('attachment; filename="statement-2022-05-team_blue')
    table = list(csv.DictReader(io.StringIO(seen.text)))
    assert sum(Decimal(row["amount"]) for row in table) == Decimal("25.92")
    assert (await month.browser.get("/statements/2022-05/team:none/period.pdf")).status == 404
    assert (await month.browser.get(f"/reports/{KEY}.jsonl")).status == 404  # this console has no report store


async def test_a_viewer_sees_what_an_operator_can_do_and_no_button(month: MonthOnPages) -> None:
    page = await month.page(f"/invoices/{KEY}")
    assert "What an operator can do: Credit" in words(page)
    assert "/act/" not in page


async def test_an_invoice_says_where_all_usage_went(month: MonthOnPages) -> None:
    key = f"2022-05/{GREY}/period"
    explained = (await month.document("explain", "--invoice", key))["account_usage"]
    shown = rows(await month.page(f"/invoices/{key}"), "Where it went")
    assert shown == [
        ["billed", "this invoice", "12:00 h"],
        ["uncovered not charged: the account had no subscription then", "none", "12:00 h"],
        ["Runtime", "24:00 h"],
    ]
    assert explained["runtime_us"] == 24 * 3600 * 10**6
