"""Every request and answer against Stripe's public specification, where it is at hand.

`PERDURE_TEST_STRIPE_OPENAPI_SPEC` names the specification (JSON), `PERDURE_TEST_STRIPE_OPENAPI_VALIDATOR` a Python
file with `Validator(path).request(method, target, body)`, `.response(method, target, status, answer)` and
`.object(name, value)`.
"""

from __future__ import annotations

from typing import Any

import pytest

from devstack.stripe_emulator.event_types import EMITTED

from .conftest import Receiver, Running
from .specification import MISSING, specification

pytestmark = pytest.mark.skipif(specification() is None, reason=MISSING)


async def test_a_whole_life_fits_the_specification(emulator: Running, receiver: Receiver, v1: Any) -> None:
    """The fixture `contract` checks all that is sent here, and each event's object."""
    await receiver.register(emulator)
    owner = await emulator.customer(email="a@example.com", metadata={"attribution_id": "team:x"})
    product = await v1.products.create_async({"name": "Plan"})
    await v1.products.update_async(product.id, {"description": "new"})
    price = await v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount_decimal": "0.5", "recurring": {"interval": "month"}}
    )
    await v1.prices.update_async(price.id, {"nickname": "half"})
    subscription = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": price.id}]})
    await v1.subscriptions.update_async(subscription.id, {"metadata": {"a": "b"}})
    for end in ("void", "pay", "uncollectible", "delete", "credit"):
        draft = await emulator.draft(1000, customer=owner.id, subscription=subscription.id, auto_advance=False)
        await getattr(_Life(v1), end)(draft.id)
    item = await v1.invoice_items.create_async({"customer": owner.id, "amount": 5, "currency": "usd"})
    await v1.invoice_items.delete_async(item.id)
    await v1.subscriptions.cancel_async(subscription.id)
    for service in (v1.customers, v1.products, v1.prices, v1.invoices, v1.invoice_items, v1.credit_notes):
        await service.list_async({"limit": 100})
    await v1.subscriptions.list_async({"status": "all"})
    await v1.webhook_endpoints.list_async()
    await v1.customers.search_async({"query": "email:'a@example.com'"})
    await v1.accounts.retrieve_current_async()
    await v1.customers.delete_async(owner.id)
    await v1.customers.retrieve_async(owner.id)
    seen = {event.type for event in await emulator.events()}
    assert EMITTED - seen <= {"invoice.sent", "invoice.payment_failed", "product.deleted", "credit_note.updated"}


class _Life:
    """What can become of a draft."""

    def __init__(self, v1: Any) -> None:
        self.invoices, self.notes = v1.invoices, v1.credit_notes

    async def void(self, invoice: str) -> None:
        await self.invoices.finalize_invoice_async(invoice)
        await self.invoices.void_invoice_async(invoice)

    async def pay(self, invoice: str) -> None:
        await self.invoices.pay_async(invoice, {"payment_method": "pm_card_visa"})

    async def uncollectible(self, invoice: str) -> None:
        await self.invoices.finalize_invoice_async(invoice, {"auto_advance": False})
        await self.invoices.mark_uncollectible_async(invoice)

    async def delete(self, invoice: str) -> None:
        await self.invoices.delete_async(invoice)

    async def credit(self, invoice: str) -> None:
        await self.invoices.finalize_invoice_async(invoice)
        note = await self.notes.create_async({"invoice": invoice, "amount": 100})
        await self.notes.void_credit_note_async(note.id)


def test_event_types_are_stripes() -> None:
    spec = specification()
    assert spec is not None
    schema = spec.validator.spec["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]
    known = set(next(iter(schema.values()))["schema"]["properties"]["enabled_events"]["items"]["enum"])
    from devstack.stripe_emulator.event_types import EVENT_TYPES

    assert known >= EVENT_TYPES


def test_every_endpoint_and_parameter_is_stripes() -> None:
    from devstack.stripe_emulator.routes import ENDPOINTS

    spec = specification()
    assert spec is not None
    for endpoint in ENDPOINTS:
        path = endpoint.template.replace("{}", "x")
        _, operation = spec.validator.find(endpoint.method, path)
        known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        in_path = {"credit_note", "customer", "id", "invoice", "line_item_id", "subscription_exposed_id"}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            known |= set(content["schema"].get("properties", {}))
        ours = set(endpoint.params.fields) | endpoint.params.unsupported
        assert ours <= known, (endpoint.name, "not Stripe's", ours - known)
        neither = known - ours - (in_path | {"webhook_endpoint"} if "{}" in endpoint.template else set())
        assert not neither, (endpoint.name, "neither supported nor refused", neither)
