"""What Stripe needs to know of a customer: an email address to send an invoice to, and a location to tax it by."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess, code_of

SENT: dict[str, Any] = {"collection_method": "send_invoice", "days_until_due": 30}
TAXED: dict[str, Any] = {"automatic_tax": {"enabled": True}}
BERLIN = {"line1": "Unter den Linden 1", "postal_code": "10117", "city": "Berlin", "country": "DE"}


async def plan(v1: Any) -> list[dict[str, Any]]:
    data = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Plan"}}
    return [{"price": (await v1.prices.create_async({**data, "recurring": {"interval": "month"}})).id}]


async def listed(v1: Any, taxed: bool) -> list[Any]:
    return list((await v1.subscriptions.list_async({"automatic_tax": {"enabled": taxed}})).data)


async def refused(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    return caught.value


async def clock(emulator: EmulatorProcess, now: str) -> None:
    await emulator.admin("POST", "clock", {"now": now, "frozen": True})


async def test_an_invoice_is_not_sent_without_an_email_address(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    for call in (
        v1.invoices.create_async({"customer": owner.id, **SENT}),
        v1.subscriptions.create_async({"customer": owner.id, "items": await plan(v1), **SENT}),
    ):
        assert "Missing email." in str(await refused(call))
    draft = await emulator.draft(900, customer=owner.id)
    assert "Missing email." in str(await refused(v1.invoices.update_async(draft.id, SENT)))
    assert (await refused(v1.customers.update_async(owner.id, {"email": "nowhere"}))).code == "email_invalid"
    await v1.customers.update_async(owner.id, {"email": "a@example.com"})
    await v1.invoices.update_async(draft.id, SENT)
    await v1.customers.update_async(owner.id, {"email": ""})
    assert "Missing email." in str(await refused(v1.invoices.finalize_invoice_async(draft.id)))
    await v1.customers.update_async(owner.id, {"email": "b@example.com"})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.status, final.customer_email, final.last_finalization_error) == ("open", "b@example.com", None)


async def test_a_one_off_invoice_is_not_taxed_without_a_location(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "10"})
    owner = await emulator.customer()
    draft = await emulator.draft(900, customer=owner.id, **TAXED)
    error = await refused(v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": True}))
    assert code_of(error) == "customer_tax_location_invalid"
    kept = await v1.invoices.retrieve_async(draft.id)
    assert (kept.status, kept.auto_advance) == ("draft", False)
    assert kept.automatic_tax.status == "requires_location_inputs"
    assert kept.last_finalization_error.code == "customer_tax_location_invalid"
    assert (await emulator.events())[-1].type == "invoice.finalization_failed"
    await v1.customers.update_async(owner.id, {"address": BERLIN})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.status, final.total, final.customer_address.city) == ("open", 990, "Berlin")
    assert final.last_finalization_error is None


async def test_an_advancing_draft_without_a_location_stays(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(900, auto_advance=True, **TAXED)
    await emulator.admin("POST", "clock", {"advance_seconds": 3601})
    kept = await v1.invoices.retrieve_async(draft.id)
    assert (kept.status, kept.auto_advance, kept.automatically_finalizes_at) == ("draft", False, None)
    types = [event.type for event in await emulator.events()]
    assert types.count("invoice.finalization_failed") == 1


async def test_a_subscriptions_invoice_is_finalized_without_tax(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "10", "subscription_invoices": True})
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer(address=BERLIN, email="a@example.com")
    terms = {"customer": owner.id, "items": await plan(v1), **TAXED, **SENT}
    made = await v1.subscriptions.create_async(terms)
    assert (await v1.invoices.retrieve_async(made.latest_invoice)).total == 990
    await v1.customers.update_async(owner.id, {"address": ""})
    await clock(emulator, "2022-06-01T02:00:00Z")
    after = await v1.subscriptions.retrieve_async(made.id)
    last = await v1.invoices.retrieve_async(after.latest_invoice)
    assert (last.status, last.total, last.automatic_tax.enabled) == ("open", 900, False)
    assert last.automatic_tax.disabled_reason == "finalization_requires_location_inputs"
    assert (after.automatic_tax.enabled, after.automatic_tax.disabled_reason) == (False, "requires_location_inputs")
    assert [[each.id for each in await listed(v1, enabled)] for enabled in (False, True)] == [[made.id], []]
    error = await refused(v1.subscriptions.update_async(made.id, TAXED))
    assert code_of(error) == "customer_tax_location_invalid"
    await v1.customers.update_async(owner.id, {"address": BERLIN})
    again = await v1.subscriptions.update_async(made.id, TAXED)
    assert (again.automatic_tax.enabled, again.automatic_tax.disabled_reason) == (True, None)
    assert [[each.id for each in await listed(v1, enabled)] for enabled in (False, True)] == [[], [made.id]]


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (BERLIN, True),
        ({"country": "FR"}, True),
        ({"country": "Germany"}, False),
        ({"city": "Berlin"}, False),
        ({"country": "US", "state": "NY"}, False),
        ({"country": "US", "postal_code": "10001"}, True),
        ({"country": "CA", "state": "QC"}, True),
        ({"country": "CA", "city": "Montréal"}, False),
    ],
)
async def test_an_address_needs_what_its_country_needs(v1: Any, address: dict[str, str], known: bool) -> None:
    made = await v1.customers.create_async({"address": address, "expand": ["tax"]})
    assert made.tax.automatic_tax == ("supported" if known else "unrecognized_location")
    at_once = {"address": address, "tax": {"validate_location": "immediately"}}
    if known:
        assert (await v1.customers.create_async({**at_once, "expand": ["tax"]})).tax.location.country
    else:
        assert code_of(await refused(v1.customers.create_async(at_once))) == "customer_tax_location_invalid"


async def test_a_payment_method_tells_the_location_if_there_is_no_address(emulator: EmulatorProcess, v1: Any) -> None:
    card = {"default_payment_method": "pm_card_visa"}
    owner = await emulator.customer(invoice_settings=card)
    found = await v1.customers.retrieve_async(owner.id, {"expand": ["tax"]})
    assert (found.tax.automatic_tax, found.tax.location.source) == ("supported", "payment_method")
    wrong = await v1.customers.update_async(owner.id, {"address": {"city": "Nowhere"}, "expand": ["tax"]})
    assert wrong.tax.automatic_tax == "unrecognized_location"
    draft = await emulator.draft(900, default_payment_method="pm_card_visa", **TAXED)
    assert (await v1.invoices.finalize_invoice_async(draft.id)).automatic_tax.status == "complete"


async def test_tax_ids(emulator: EmulatorProcess, v1: Any) -> None:
    data = [{"type": "eu_vat", "value": "DE123456789"}]
    owner = await v1.customers.create_async({"name": "Test", "tax_id_data": data, "expand": ["tax_ids"]})
    (first,) = owner.tax_ids.data
    assert (first.type, first.value, first.country, first.verification.status) == (*data[0].values(), "DE", "pending")
    ids = v1.customers.tax_ids
    second = await ids.create_async(owner.id, {"type": "us_ein", "value": "12-3456789"})
    assert [one.id for one in (await ids.list_async(owner.id)).data] == [second.id, first.id]
    wrong = await refused(ids.create_async(owner.id, {"type": "eu_vat", "value": "123"}))
    assert (wrong.code, wrong.param) == ("tax_id_invalid", "value")
    assert (await refused(ids.create_async(owner.id, {"type": "xx", "value": "1"}))).param == "type"
    draft = await emulator.draft(900, customer=owner.id)
    assert (await ids.delete_async(owner.id, first.id)).deleted
    assert (await refused(ids.retrieve_async(owner.id, first.id))).code == "resource_missing"
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert [one.value for one in final.customer_tax_ids] == ["12-3456789"]
    kinds = [event.type for event in await emulator.events(type="customer.tax_id.*")]
    assert kinds == ["customer.tax_id.created", "customer.tax_id.created", "customer.tax_id.deleted"]
