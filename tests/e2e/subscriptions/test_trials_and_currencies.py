"""Stripe's trials, and a customer who comes back in another currency."""

from __future__ import annotations

import pytest

from billing.accounts.windows import WindowKind
from billing.invoice.states import InvoiceState
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at
from tests.support.usage import DAY_CENTS

pytestmark = pytest.mark.waits

TRIAL, PAID = WindowKind.TRIAL, WindowKind.PAID
DAY_EURO_CENTS = 816


async def kinds(they: Subscribers, team: str) -> list[WindowKind]:
    account = await they.account(team)
    return [window.kind for window in account.windows] if account else []


async def test_usage_on_trial_is_not_billed(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:trial")
    trial_end = int(at("2022-05-15").timestamp())
    subscription = await they.subscribe(customer, trial_end=trial_end)
    await they.until_windows("team:trial", ("2022-05-01", "2022-05-15"), ("2022-05-15", None))
    assert await kinds(they, "team:trial") == [TRIAL, PAID]
    await system.add_instance("trial-1", "team:trial", "2022-05-05", "2022-05-06")
    await system.add_instance("trial-2", "team:trial", "2022-05-20", "2022-05-21")

    # It is extended, and then ended early.
    extended = {"trial_end": int(at("2022-05-25").timestamp())}
    await system.stripe.v1.subscriptions.update_async(subscription, extended)
    await they.until_windows("team:trial", ("2022-05-01", "2022-05-25"), ("2022-05-25", None))
    await they.clock("2022-05-18")
    await system.stripe.v1.subscriptions.update_async(subscription, {"trial_end": "now"})
    await they.until_windows("team:trial", ("2022-05-01", "2022-05-18"), ("2022-05-18", None))
    assert await kinds(they, "team:trial") == [TRIAL, PAID]
    await they.until_rested(subscription)

    await system.run_period("2022-05")
    (invoice,) = await system.invoices()
    assert (invoice.amount, invoice.state) == (DAY_CENTS, InvoiceState.BILLED)


async def test_a_cancellation_on_trial_makes_no_invoice(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:never")
    subscription = await they.subscribe(customer, trial_end=int(at("2022-05-15").timestamp()))
    await they.until_windows("team:never", ("2022-05-01", "2022-05-15"), ("2022-05-15", None))
    await system.add_instance("never-1", "team:never", "2022-05-05", "2022-05-06")
    await they.clock("2022-05-10")
    await they.cancel(subscription)
    await they.until_windows("team:never", ("2022-05-01", "2022-05-10"))
    await they.until_rested(subscription)
    assert await kinds(they, "team:never") == [TRIAL]
    await system.run_period("2022-05")
    assert await system.invoices() == []


async def test_a_customer_who_comes_back_in_another_currency_gets_an_invoice_in_each(
    system: System, they: Subscribers
) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:moved")
    dollars = await they.subscribe(customer)
    await they.until_windows("team:moved", ("2022-05-01", None))
    await system.add_instance("moved-1", "team:moved", "2022-05-05", "2022-05-06")
    await system.add_instance("moved-2", "team:moved", "2022-05-15", "2022-05-16")
    await they.clock("2022-05-10")
    await they.cancel(dollars)
    await they.until_windows("team:moved", ("2022-05-01", "2022-05-10"))
    await they.until_rested(dollars)
    await they.clock("2022-05-12")
    euros = await they.subscribe(customer, currency="eur")
    await they.until_windows("team:moved", ("2022-05-01", "2022-05-10"), ("2022-05-12", None))
    await they.until_rested(euros)
    await system.run_period("2022-05")
    billed = {invoice.key: (invoice.currency, invoice.amount, invoice.state) for invoice in await system.invoices()}
    assert billed == {
        f"2022-05/team:moved/cancellation/{dollars}": ("usd", DAY_CENTS, InvoiceState.BILLED),
        "2022-05/team:moved/period/eur": ("eur", DAY_EURO_CENTS, InvoiceState.BILLED),
    }
