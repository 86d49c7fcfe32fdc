"""`perdure invoices list`, `show` and `retry`, and `accounts sync`, on the whole product."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.accounts import accounts
from storage.invoices import invoices
from tests.cli.conftest import Perdure
from tests.support.rest import until_rested
from tests.support.system import System

GOOD, BAD = "2022-05/team:good/period", "2022-05/team:bad/period"


@pytest.mark.waits
async def test_invoices_are_listed_shown_and_retried(system: System, perdure: Perdure) -> None:
    await system.add_account("team:good", ("2022-05-01", None))
    await system.add_account("team:bad", ("2022-05-01", None), customer="cus_that_stripe_does_not_know")
    await system.add_instance("i-1", "team:good", "2022-05-03", "2022-05-04")
    await system.add_instance("i-2", "team:bad", "2022-05-03", "2022-05-05", "xl")
    await system.start_period()
    good = await system.until_state(GOOD, InvoiceState.BILLED, InvoiceState.PAID)
    bad = await system.until_state(BAD, InvoiceState.BLOCKED)

    await _are_listed_and_shown(perdure, good, bad)
    await _are_retried(system, perdure)
    await _are_not_retried(system, perdure)


async def _are_listed_and_shown(perdure: Perdure, good: InvoiceRecord, bad: InvoiceRecord) -> None:
    listed, of_one, table, shown = await asyncio.gather(
        perdure("invoices", "list", "--json"),
        perdure("invoices", "list", "--json", "--period", "2022-05", "--account", "team:bad", "--state", "blocked"),
        perdure("invoices", "list"),
        perdure("invoices", "show", BAD),
    )
    assert [document["key"] for document in listed.document] == [BAD, GOOD]
    _is_complete(listed.document[1], good)
    assert [found["blocked_reason"] for found in of_one.document] == [bad.blocked_reason]
    assert good.stripe_invoice_id is not None
    assert good.stripe_invoice_id in table.out
    assert "2 invoices. Total, without voided and deleted ones: 43.20 USD." in table.out
    assert f"{BAD}: blocked, 34.56 USD" in shown.out
    assert f"`perdure invoices retry '{BAD}'`" in shown.out


def _is_complete(document: dict[str, Any], good: InvoiceRecord) -> None:
    [line] = document.pop("lines")
    assert document.pop("state") in ("billed", "paid")
    assert (
        document.items()
        >= {
            "key": GOOD,
            "attribution_id": "team:good",
            "billing_period": "2022-05",
            "reason": "period",
            "currency": "usd",
            "amount": 864,
            "credits": "240.000000",
            "cutoff": "2022-06-01T00:00:00.000000Z",
            "report_id": good.report_id,
            "stripe_invoice_id": good.stripe_invoice_id,
            "stripe_customer_id": good.stripe_customer_id,
            "blocked_reason": None,
            "blocked_since": None,
        }.items()
    )
    assert line == {
        "kind": "usage",
        "tiers": [],
        "line_no": 1,
        "workspace_class": "default",
        "rate": "0.1666666667",
        "rate_from": "2020-01-01T00:00:00.000000Z",
        "rated_as_default": False,
        "price_per_credit": "0.036",
        "duration_us": 86_400_000_000,
        "quantity_us": "86400000000",
        "carried_us": 0,
        "credits": "240.000000",
        "amount": 864,
    }


async def _are_retried(system: System, perdure: Perdure) -> None:
    again, settled = await asyncio.gather(perdure("invoices", "retry", BAD), perdure("invoices", "retry", GOOD))
    assert again.status == 3
    assert again.err.startswith(f"{BAD}: blocked again: ")
    assert settled.error.endswith(": there is nothing to retry")
    await until_rested(system)
    await invoices.block_invoice(system.db, GOOD, "for the test")
    every = await perdure("invoices", "retry", "--all", "--period", "2022-05", "--json")
    assert every.status == 3
    bad_again, resumed = json.loads(every.out)
    assert (bad_again["key"], bad_again["state"], bad_again["taken_up"]) == (BAD, "blocked", True)
    assert (resumed["key"], resumed["state_before"], resumed["blocked_reason"]) == (GOOD, "blocked", None)
    assert resumed["state"] in ("billed", "paid")


async def _are_not_retried(system: System, perdure: Perdure) -> None:
    """No worker picks up the retry, or there is nothing to retry."""
    await system.stop()
    await invoices.block_invoice(system.db, GOOD, "for the test")
    unserved, unknown, neither, no_state = await asyncio.gather(
        perdure("invoices", "retry", GOOD, "--wait", "0.1"),
        perdure("invoices", "retry", "nonsense"),
        perdure("invoices", "retry"),
        perdure("invoices", "list", "--state", "open"),
    )
    assert (unserved.status, unserved.out) == (69, "")
    assert unserved.err.startswith(f"{GOOD}: still blocked: no worker has picked it up yet")
    assert unknown.error.startswith("there is no invoice 'nonsense'")
    assert neither.error.startswith("name the invoices to retry, or use --all")
    assert no_state.error.startswith("--state 'open': write one of claimed, draft, ")


async def test_accounts_come_from_stripe(system: System, perdure: Perdure) -> None:
    for name in ("team:ours", "not one of ours"):
        await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": name}})
    ran, wrong = await asyncio.gather(
        perdure("accounts", "sync", "--bill-after", "2022-05-01T02:00:00+02:00", "--json"),
        perdure("accounts", "sync", "--bill-after", "yesterday"),
    )
    assert ran.status == 4
    document = json.loads(ran.out)
    assert document.pop("seen") >= 2
    [fault] = document.pop("faults")
    assert "'not one of ours' is not an attribution id" in fault
    assert document.pop("stored") >= 1
    assert document == {"workflow_id": "accounts-sync"}
    account = await accounts.get_account(system.db, "team:ours")
    assert account is not None
    assert account.bill_after is not None
    assert account.bill_after.isoformat() == "2022-05-01T00:00:00+00:00"
    assert wrong.error.startswith("--bill-after: 'yesterday' is not a time")


async def test_the_total_in_stripe_is_shown_with_its_discounts(system: System, perdure: Perdure) -> None:
    made = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:discounted"}})
    coupon = await system.stripe.v1.coupons.create_async({"percent_off": 20, "duration": "forever"})
    await system.admin(f"customers/{made.id}/discount", {"coupon": coupon.id})
    await system.add_account("team:discounted", ("2022-05-01", None), customer=made.id)
    await system.add_instance("i-discounted", "team:discounted", "2022-05-03", "2022-05-04")
    await system.run_period()
    key = "2022-05/team:discounted/period"
    shown, document = await perdure("invoices", "show", key), await perdure("invoices", "show", key, "--json")
    assert "Total in Stripe: 6.91 USD (- 1.73 USD discounts)" in shown.out
    wanted = {"amount": 864, "stripe_total": 691, "stripe_discount": 173, "stripe_tax": 0}
    assert document.document.items() >= wanted.items()
