from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess


async def test_a_customer_is_made_changed_and_found(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer(email="a@example.com", metadata={"attribution_id": "team:x", "b": "1"})
    assert (made.name, made.email, made.currency, made.livemode) == ("Test", "a@example.com", None, False)
    await v1.customers.update_async(made.id, {"name": "New", "metadata": {"b": "", "c": "2"}})
    found = await v1.customers.retrieve_async(made.id)
    assert found.name == "New"
    assert found.metadata.to_dict() == {"attribution_id": "team:x", "c": "2"}
    by_mail = await v1.customers.list_async({"email": "a@example.com"})
    assert [one.id for one in by_mail.data] == [made.id]
    assert [event.type for event in await emulator.events()] == ["customer.created", "customer.updated"]
    changed = (await emulator.events())[1].data.previous_attributes.to_dict()
    assert changed == {"name": "Test", "metadata": {"b": "1", "c": None}}


async def test_an_update_that_changes_nothing_makes_no_event(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer()
    await v1.customers.update_async(made.id, {"name": "Test"})
    assert len(await emulator.events()) == 1


async def test_metadata_is_cleared_by_an_empty_value(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer(metadata={"a": "1"})
    cleared = await v1.customers.update_async(made.id, {"metadata": ""})
    assert cleared.metadata.to_dict() == {}


async def test_a_deleted_customer_stays_known_but_cannot_be_invoiced(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer()
    price = await v1.prices.create_async(
        {"currency": "usd", "unit_amount": 0, "recurring": {"interval": "month"}, "product_data": {"name": "Plan"}}
    )
    subscription = await v1.subscriptions.create_async({"customer": made.id, "items": [{"price": price.id}]})
    assert (await v1.customers.delete_async(made.id)).deleted
    assert (await v1.customers.retrieve_async(made.id)).deleted
    assert (await v1.customers.list_async()).data == []
    assert (await v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.invoices.create_async({"customer": made.id})
    assert (caught.value.code, caught.value.param, caught.value.http_status) == ("resource_missing", "customer", 400)


async def test_the_first_invoice_sets_the_currency(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer()
    await v1.invoices.create_async({"customer": made.id, "currency": "eur"})
    assert (await v1.customers.retrieve_async(made.id)).currency == "eur"
    assert (await v1.invoices.create_async({"customer": made.id})).currency == "eur"


async def test_search_lags_and_the_list_does_not(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"search_lag_seconds": 60})
    made = await emulator.customer(metadata={"attribution_id": "team:x"})
    query = {"query": "metadata['attribution_id']:'team:x'"}
    assert (await v1.customers.search_async(query)).data == []
    assert [one.id for one in (await v1.customers.list_async()).data] == [made.id]
    await emulator.admin("POST", "settings", {"search_lag_seconds": 0})
    await v1.customers.update_async(made.id, {"name": "again"})
    assert [one.id for one in (await v1.customers.search_async(query)).data] == [made.id]


async def test_search_understands_stripes_query_language(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"search_lag_seconds": 0})
    a = await emulator.customer(name="Ann O'Hara", email="ann@one.example", metadata={"team": "x"})
    b = await emulator.customer(name="Bob", email="bob@two.example", metadata={"team": "y"})
    c = await emulator.customer(name="Cid", email="cid@two.example")

    async def found(query: str) -> set[str]:
        return {one.id for one in (await v1.customers.search_async({"query": query})).data}

    assert await found("metadata['team']:'x'") == {a.id}
    assert await found('metadata["team"]:"X"') == {a.id}
    assert await found("name:'Ann O\\'Hara'") == {a.id}
    assert await found("email~'two'") == {b.id, c.id}
    assert await found("email~'two' AND -metadata['team']:'y'") == {c.id}
    assert await found("metadata['team']:'x' OR name:'Cid'") == {a.id, c.id}
    assert await found("metadata['team']:null") == {c.id}
    assert await found("-metadata['team']:null") == {a.id, b.id}
    assert await found(f"created>={a.created - 5}") == {a.id, b.id, c.id}
    assert await found("created<1000") == set()
    page = await v1.customers.search_async({"query": "created>0", "limit": 2})
    assert [one.id for one in page.data] == [c.id, b.id]
    assert page.has_more
    assert [one.id async for one in page.auto_paging_iter()] == [c.id, b.id, a.id]


async def test_search_may_be_unavailable_or_forbidden(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer(metadata={"team": "x"})
    query = {"query": "metadata['team']:'x'"}
    await emulator.admin("POST", "settings", {"search_available": False})
    for service in (v1.customers, v1.invoices, v1.subscriptions):
        with pytest.raises(stripe.InvalidRequestError, match="unavailable in your region"):
            await service.search_async(query)
    settings = await emulator.admin("POST", "settings", {"search_available": True, "search_permitted": False})
    assert (settings["search_available"], settings["search_permitted"]) == (True, False)
    with pytest.raises(stripe.PermissionError, match="'rak_customer_read'"):
        await v1.customers.search_async(query)
    assert [one.id for one in (await v1.customers.list_async()).data] == [made.id]
    await emulator.admin("POST", "settings", {"search_permitted": "no"}, status=400)


@pytest.mark.parametrize("query", ["nonsense", "metadata:'x'", "name:'a' AND email:'b' OR name:'c'", "colour:'red'"])
async def test_a_malformed_search_is_refused(v1: Any, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.customers.search_async({"query": query})
    assert caught.value.param == "query"


async def test_a_key_that_lacks_permissions(emulator: EmulatorProcess, v1: Any) -> None:
    settings = await emulator.admin("POST", "settings", {"denied": ["customer_write", "tax_settings_read"]})
    assert settings["denied"] == ["customer_write", "tax_settings_read"]
    with pytest.raises(stripe.PermissionError, match="'rak_customer_write'"):
        await v1.customers.update_async("cus_unknown", {})
    with pytest.raises(stripe.PermissionError, match="'rak_tax_settings_read'"):
        await v1.tax.settings.retrieve_async()
    assert (await v1.customers.list_async()).data == []
    await emulator.admin("POST", "settings", {"denied": ["everything"]}, status=400)
    await emulator.admin("POST", "settings", {"denied": []})
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await v1.customers.update_async("cus_unknown", {})


async def test_tax_settings(emulator: EmulatorProcess, v1: Any) -> None:
    active = await v1.tax.settings.retrieve_async()
    assert (active.status, active.head_office.address.country) == ("active", "US")
    await emulator.admin("POST", "settings", {"tax_settings_active": False})
    pending = await v1.tax.settings.retrieve_async()
    assert (pending.status, pending.head_office) == ("pending", None)
    assert pending.status_details.pending.missing_fields == ["head_office"]
