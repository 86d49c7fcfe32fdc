"""Details of customers that the API accepts reach Stripe, and what waited for them is billed without a further hand."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from starter.api.handler import ACCOUNTS, Api
from storage.arrivals.tokens import TokenScope
from storage.periods import periods
from storage.postgres.database import Database
from storage.postgres.roles import API
from tests.api.serving import new_token, sender_to
from tests.e2e.catching_up import DROP_ALL, catch_up
from tests.e2e.conftest import requests
from tests.storage.usage import fetch
from tests.support.months import MAY
from tests.support.roles import as_role
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import one_day

BERLIN = {"address_country": "DE", "address_postal_code": "10117", "address_city": "Berlin"}


async def needing(system: System, **settings: object) -> None:
    """Restart the workers with settings that need something of customers."""
    await system.stop()
    system.settings = system.settings.model_copy(update=settings)
    await system.start()


async def waiting(system: System) -> dict[str, str]:
    """Return why accounts wait, by account."""
    return {each.subject: each.reason for each in (await periods.period_progress(system.db, MAY)).blocked}


async def send(system: System, **row: object) -> None:
    """Send a row of details to an API that logs in as its role."""
    api = Database(as_role(system.settings.need("database_url"), API), 2)
    try:
        token = await new_token(system.db, scope=TokenScope.ACCOUNTS)
        async with sender_to(Api(api), token) as sender:
            given = {"accounts": [{"updated_at": "2022-06-01T00:00:00Z", **row}]}
            answer = await sender.post(ACCOUNTS, given, **{"Content-Type": "application/json"})
            assert (answer.status, answer.json["accepted"]) == (202, 1)
    finally:
        await api.close()


async def customers_of(system: System, attribution_id: str) -> list[dict[str, Any]]:
    page = await system.stripe.v1.customers.list_async({"limit": 100})
    return [c.to_dict() for c in page.data if c.metadata.to_dict().get("attribution_id") == attribution_id]


async def test_details_reach_stripe_and_the_account_that_waited_is_billed(system: System) -> None:
    await needing(system, collection_method="send_invoice", automatic_tax=True)
    key = await one_day(system, "team:details")
    await system.run_period(MAY)
    assert set(await waiting(system)) == {"team:details"}

    await system.start("sources")
    await send(system, attribution_id="team:details", name="Ada Example", email="ada@example.com", **BERLIN)
    billed = await system.until_state(key, InvoiceState.BILLED)
    (made,) = await customers_of(system, "team:details")
    assert (made["id"], made["name"], made["email"]) == (billed.stripe_customer_id, "Ada Example", "ada@example.com")
    assert (made["address"]["country"], made["address"]["city"]) == ("DE", "Berlin")
    assert await waiting(system) == {}
    histories = [await h.fetch_history() async for h in _workflows(system)]
    assert histories
    for history in histories:
        assert "ada@" not in history.to_json().lower()


async def _workflows(system: System) -> Any:
    async for each in system.client.list_workflows():
        yield system.client.get_workflow_handle(each.id, run_id=each.run_id)


async def test_a_customer_that_exists_is_changed_before_its_account_is_used(system: System) -> None:
    customer = await system.stripe.v1.customers.create_async({"name": "Old", "email": "old@example.com"})
    await system.add_account("team:before", ("2022-05-01", None), customer=customer.id)
    await system.start("sources")
    await send(system, attribution_id="team:before", email="new@example.com")

    async def changed() -> bool | None:
        found = await system.stripe.v1.customers.retrieve_async(customer.id)
        return (found.name, found.email) == ("Old", "new@example.com") or None

    await until(changed)


async def test_a_customer_that_the_details_made_is_recorded_although_nothing_waits_for_it(system: System) -> None:
    await system.add_account("team:early", ("2022-05-01", None))
    await system.start("sources")
    await send(system, attribution_id="team:early", email="early@example.com")

    query = "SELECT stripe_customer_id FROM account WHERE attribution_id = 'team:early'"

    async def recorded() -> str | None:
        ((customer,),) = await fetch(system.db, query)
        return None if customer is None else str(customer)

    made = await until(recorded)
    assert [each["id"] for each in await customers_of(system, "team:early")] == [made]


@pytest.mark.history("customer-woken")
async def test_the_webhook_wakes_an_account_that_waits_for_its_customer(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    silent = await system.stripe.v1.customers.create_async({})
    key = await one_day(system, "team:woken", customer=silent.id)
    await system.run_period(MAY)
    assert set(await waiting(system)) == {"team:woken"}
    before = len(requests(system))
    await system.stripe.v1.customers.update_async(silent.id, {"description": "of no concern"})
    await system.stripe.v1.customers.update_async(silent.id, {"email": "billing@example.com"})
    await system.until_state(key, InvoiceState.BILLED)
    assert await waiting(system) == {}
    asked = [one for one in requests(system, before) if one["method"] == "GET" and silent.id in one["target"]]
    assert asked


@pytest.mark.history("customer-caught-up")
async def test_the_catch_up_wakes_it_when_no_event_arrives(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    silent = await system.stripe.v1.customers.create_async({})
    key = await one_day(system, "team:missed", customer=silent.id)
    nobody = await one_day(system, "team:nobody")
    await system.run_period(MAY)
    await catch_up(system)
    assert set(await waiting(system)) == {"team:missed", "team:nobody"}

    await system.admin("webhook_faults", DROP_ALL)
    await system.stripe.v1.customers.update_async(silent.id, {"email": "billing@example.com"})
    await system.stripe.v1.customers.create_async(
        {"email": "nobody@example.com", "metadata": {"attribution_id": "team:nobody"}}
    )
    await catch_up(system)
    await system.admin("webhook_faults", method="DELETE")
    for each in (key, nobody):
        await system.until_state(each, InvoiceState.FINALIZED, InvoiceState.BILLED)
    await catch_up(system)
    for each in (key, nobody):
        await system.until_state(each, InvoiceState.BILLED)


async def test_periods_in_which_it_waited_are_billed_in_order(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    silent = await system.stripe.v1.customers.create_async({})
    may = await one_day(system, "team:long", customer=silent.id)
    await system.add_instance("june", "team:long", "2022-06-03", "2022-06-04")
    await system.run_period(MAY)
    await system.run_period("2022-06")
    await system.stripe.v1.customers.update_async(silent.id, {"email": "billing@example.com"})
    june = may.replace(MAY, "2022-06")
    first, second = [await system.until_state(key, InvoiceState.BILLED) for key in (may, june)]
    assert first.amount == second.amount


async def test_a_customer_for_which_nothing_waits_causes_no_request(system: System) -> None:
    await needing(system, collection_method="send_invoice")
    made = await system.stripe.v1.customers.create_async({"email": "a@example.com"})
    before = len(requests(system))
    await system.stripe.v1.customers.update_async(made.id, {"email": "b@example.com"})
    handle = system.client.get_workflow_handle(workflow_ids.stripe_customer(made.id))

    async def ended() -> bool | None:
        found = [each async for each in system.client.list_workflows(f"WorkflowId = '{handle.id}'")]
        return bool(found) or None

    await until(ended)
    await handle.result()
    assert [one for one in requests(system, before) if one["method"] == "GET" and "customers" in one["target"]] == []
