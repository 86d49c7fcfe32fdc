"""What Stripe needs of a customer is checked before its usage is claimed, and stops no other account."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invoice.states import InvoiceState
from storage.periods import periods
from tests.e2e.conftest import requests
from tests.support.months import MAY
from tests.support.system import System
from tests.support.usage import one_day

MAIL = "billing@example.com"
BERLIN = {"country": "DE", "postal_code": "10117"}


async def customer(system: System, **params: object) -> str:
    made = await system.stripe.v1.customers.create_async(params)
    return str(made.id)


async def needing(system: System, **settings: object) -> None:
    """Restart the workers with settings that need something of customers."""
    await system.stop()
    system.settings = system.settings.model_copy(update=settings)
    await system.start()


async def waiting(system: System) -> dict[str, str]:
    """Return why accounts wait, by account."""
    return {each.subject: each.reason for each in (await periods.period_progress(system.db, MAY)).blocked}


@pytest.mark.history("customers-asked")
async def test_without_an_email_an_account_waits_and_no_other_does(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    named = await customer(system, email=MAIL, metadata={"attribution_id": "team:found"})
    silent = await customer(system)
    ready = await one_day(system, "team:ready", customer=await customer(system, email=MAIL))
    found = await one_day(system, "team:found")
    waits = await one_day(system, "team:silent", customer=silent)
    await one_day(system, "team:nobody")
    progress = (await system.run_period(MAY)).progress

    assert {i.key: i.state for i in await system.invoices(MAY)} == dict.fromkeys((ready, found), InvoiceState.BILLED)
    assert (await system.invoice(found)).stripe_customer_id == named
    assert (progress.open, progress.blocked_accounts) == (0, 2)
    why = await waiting(system)
    assert set(why) == {"team:silent", "team:nobody"}
    assert "COLLECTION_METHOD=send_invoice" in why["team:silent"]
    assert f"{silent} has none" in why["team:silent"]
    assert all(reason.endswith(", and it is billed within 15 minutes") for reason in why.values())
    assert "no customer there yet" in why["team:nobody"]
    assert "import it in `email`" in why["team:nobody"]

    await system.stripe.v1.customers.update_async(silent, {"email": MAIL})
    await system.run_period(MAY)
    assert (await system.invoice(waits)).state is InvoiceState.BILLED
    assert set(await waiting(system)) == {"team:nobody"}


async def test_without_a_location_automatic_tax_waits(system: System) -> None:
    await needing(system, automatic_tax=True)
    there = await one_day(system, "team:there", customer=await customer(system, address=BERLIN))
    nowhere = await customer(system)
    lost = await one_day(system, "team:lost", customer=nowhere)
    await system.run_period(MAY)
    assert [i.key for i in await system.invoices(MAY)] == [there]
    assert "AUTOMATIC_TAX=true" in (await waiting(system))["team:lost"]

    await system.stripe.v1.customers.update_async(nowhere, {"address": BERLIN})
    await system.run_period(MAY)
    assert (await system.invoice(lost)).state is InvoiceState.BILLED


async def test_a_customer_that_is_known_to_have_it_is_not_asked_again(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    await one_day(system, "team:known", customer=await customer(system, email=MAIL))
    await system.run_period(MAY)
    before = len(requests(system))
    await system.run_period(MAY)
    assert [one for one in requests(system, before) if "/v1/customers" in one["target"]] == []


@pytest.mark.usefixtures("many_accounts")
async def test_many_customers_are_asked_about_by_lists(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    before = len(requests(system))
    await system.run_period(MAY)
    sent = [one["target"] for one in requests(system, before) if "/v1/customers" in one["target"]]
    assert all(target.startswith("/v1/customers?") for target in sent), sent
    assert len(sent) < 20
    assert await waiting(system) == {}


async def test_with_the_usual_settings_stripe_is_not_asked_first(system: System) -> None:
    key = await one_day(system, "team:usual", customer=await customer(system))
    before = len(requests(system))
    await system.run_period(MAY)
    assert (await system.invoice(key)).state is InvoiceState.BILLED
    assert [one for one in requests(system, before) if "/v1/customers" in one["target"]] == []


@pytest.fixture
async def many_accounts(system: System) -> None:
    """Accounts with so little usage that no invoice is made of it."""
    for number in range(201):
        made: Any = await system.stripe.v1.customers.create_async({"email": MAIL})
        await system.add_account(f"team:{number:03}", ("2022-05-01", None), customer=made.id)
        await system.add_instance(f"i-{number:03}", f"team:{number:03}", "2022-05-03T10:00", "2022-05-03T10:01")
