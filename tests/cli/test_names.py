"""A person finds an account by its name, and an invoice by the number that its customer quotes."""

from __future__ import annotations

import asyncio
import csv
import json
from io import StringIO

import pytest

from billing.invoice.states import InvoiceState
from tests.cli.conftest import Perdure
from tests.storage.usage import execute
from tests.support.rest import until_rested
from tests.support.system import System

ACCOUNT, OTHER = "team:named", "team:other"
KEY, DEAD = f"2022-05/{ACCOUNT}/period", f"2022-05/{OTHER}/period"
NAME = "Aurora Énergie SA"
UI = "https://temporal.example.com"


@pytest.mark.waits
async def test_names_numbers_and_links(system: System, perdure: Perdure) -> None:
    for account in (ACCOUNT, OTHER):
        await system.add_account(account, ("2022-05-01", None))
    await system.add_instance("n-late", ACCOUNT, "2022-05-04", "2022-05-05")
    await system.add_instance("n-early", ACCOUNT, "2022-05-03", "2022-05-03T10:00:30", "xl")
    await system.add_instance("n-other", OTHER, "2022-05-03", "2022-05-04")
    await execute(system.db, "UPDATE account SET name = :name WHERE attribution_id = :id", name=NAME, id=ACCOUNT)
    perdure.settings |= {"TEMPORAL_UI_URL": UI, "RATE_CARD": str(system.settings.rate_card)}
    await system.run_period()
    await system.until_state(KEY, InvoiceState.BILLED, InvoiceState.PAID)
    await until_rested(system)
    invoice = await system.invoice(KEY)
    assert invoice.stripe_number is not None  # Stripe's, from the finalized invoice
    (stripes,) = [each for each in await system.stripe_invoices() if each["id"] == invoice.stripe_invoice_id]
    assert invoice.stripe_number == stripes["number"]

    await _an_invoice_by_each_name(perdure, invoice.stripe_number, invoice.stripe_invoice_id or "")
    await _an_account_by_each_name(perdure, invoice.stripe_customer_id or "", invoice.amount)
    await _a_voided_invoice_is_worth_nothing(system, perdure)


async def _an_invoice_by_each_name(perdure: Perdure, number: str, stripe_id: str) -> None:
    by_number, by_id, listed, explained, plan, unknown = await asyncio.gather(
        perdure("invoices", "show", number.lower(), "--json"),
        perdure("invoices", "show", stripe_id),
        perdure("invoices", "list", "--account", NAME.upper(), "-o", "csv"),
        perdure("explain", "--invoice", stripe_id, "--json"),
        perdure("invoices", "void", stripe_id, "--reason", "x", "--dry-run"),
        perdure("invoices", "show", f"2022-05/{ACCOUNT}/perod"),
    )
    shown = by_number.document
    assert (shown["key"], shown["account_name"], shown["stripe_number"]) == (KEY, NAME, number)
    assert shown["links"]["workflow"].startswith(f"{UI}/namespaces/")
    assert shown["links"]["workflow"].endswith("/workflows/invoice%2F2022-05%2Fteam%3Anamed%2Fperiod")
    assert f"{ACCOUNT} ({NAME})" in by_id.out
    (row,) = csv.DictReader(StringIO(listed.out))
    assert (row["key"], row["account_name"], row["number"]) == (KEY, NAME, number)
    # By line, and each line's in the order of time.
    assert [each["instance_id"] for each in explained.document["intervals"]] == ["n-late", "n-early"]
    assert f"{ACCOUNT} ({NAME})" in plan.err + plan.out
    assert KEY in plan.err + plan.out
    assert unknown.error.startswith(f"there is no invoice '2022-05/{ACCOUNT}/perod', the nearest is {KEY}: ")


async def _an_account_by_each_name(perdure: Perdure, customer: str, amount: int) -> None:
    found, by_customer, by_name, unknown = await asyncio.gather(
        perdure("accounts", "list", "--search", "énergie", "--json"),
        perdure("accounts", "show", customer, "--json"),
        perdure("accounts", "show", NAME.lower()),
        perdure("accounts", "show", "team:nomad"),
    )
    (listed,) = found.document
    assert (listed["attribution_id"], listed["account_name"], listed["stripe_customer_id"]) == (ACCOUNT, NAME, customer)
    account = by_customer.document
    assert (account["attribution_id"], account["account_name"], account["state"]) == (ACCOUNT, NAME, "active")
    (invoice,) = account["invoices"]
    assert (invoice["key"], invoice["net"]) == (KEY, amount)
    assert account["usage"] == []  # all of it is billed
    assert account["next_invoices"][0]["billed_by"] == "period"
    assert by_name.out.startswith(f"{ACCOUNT}: {NAME}, active\n")
    assert unknown.error.startswith("there is no account team:nomad, the nearest is team:named: ")


async def _a_voided_invoice_is_worth_nothing(system: System, perdure: Perdure) -> None:
    dead = await system.invoice(DEAD)
    assert dead.stripe_number is not None
    voided = await perdure("invoices", "void", dead.stripe_number, "--reason", "wrong price", "--by", "ada", "--yes")
    assert voided.status == 0, voided.err
    await system.until_state(DEAD, InvoiceState.VOIDED)
    shown, listed, rows, account = await asyncio.gather(
        perdure("invoices", "show", DEAD, "--json"),
        perdure("invoices", "list", "--account", OTHER, "--json"),
        perdure("invoices", "list", "--account", OTHER, "-o", "csv"),
        perdure("accounts", "show", OTHER, "--json"),
    )
    assert (shown.document["amount"], shown.document["net"]) == (dead.amount, 0)
    assert [(each["decision"], each["by"], each["reason"]) for each in shown.document["decisions"]] == [
        ("void", "ada", "wrong price")
    ]
    assert [each["net"] for each in json.loads(listed.out)] == [0]
    assert [row["net"] for row in csv.DictReader(StringIO(rows.out))] == ["0.00"]
    assert account.document["unpaid"] == {}
    (estimate,) = account.document["usage"]  # billable again
    assert estimate["amount"] == dead.amount
    assert [each["decision"] for each in account.document["decisions"]] == ["void"]
