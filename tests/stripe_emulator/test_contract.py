"""Every request and answer against Stripe's public specification, if it is available.

`PERDURE_TEST_STRIPE_OPENAPI_SPEC` names the specification (JSON), `PERDURE_TEST_STRIPE_OPENAPI_VALIDATOR` a Python
file with `Validator(path).request(method, target, body)`, `.response(method, target, status, answer)` and
`.object(name, value)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stripe_emulator.api import ENDPOINTS
from stripe_emulator.engine.event_types import EMITTED, EVENT_TYPES
from stripe_emulator.params.specs import ListOf, Params
from tests.stripe_emulator.conftest import EmulatorProcess, WebhookSink
from tests.stripe_emulator.specification import MISSING, specification

pytestmark = pytest.mark.skipif(specification() is None, reason=MISSING)


async def test_a_whole_life_fits_the_specification(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    """The fixture `contract` checks every request and answer here, and each event's object."""
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
    paid = (await v1.invoices.list_async({"status": "paid"})).data[0]
    dispute = await emulator.admin("POST", "disputes", {"invoice": paid.id})
    await emulator.admin("POST", f"disputes/{dispute['id']}/close", {"status": "won"})
    charge = (await v1.charges.list_async()).data[0]
    refund = await v1.refunds.create_async({"charge": charge.id, "amount": 100})
    await v1.refunds.update_async(refund.id, {"metadata": {"a": "b"}})
    item = await v1.invoice_items.create_async({"customer": owner.id, "amount": 5, "currency": "usd"})
    await v1.invoice_items.delete_async(item.id)
    await v1.subscriptions.cancel_async(subscription.id)
    for service in (v1.customers, v1.products, v1.prices, v1.invoices, v1.invoice_items, v1.credit_notes, v1.disputes):
        await service.list_async({"limit": 100})
    await v1.subscriptions.list_async({"status": "all"})
    await v1.webhook_endpoints.list_async()
    await v1.customers.search_async({"query": "email:'a@example.com'"})
    await v1.accounts.retrieve_current_async()
    await v1.customers.delete_async(owner.id)
    await v1.customers.retrieve_async(owner.id)
    seen = {event.type for event in await emulator.events()}
    not_here = {"invoice.sent", "invoice.payment_failed", "invoice.finalization_failed", "credit_note.updated"}
    not_here |= {"customer.subscription.paused", "customer.subscription.resumed"}
    not_here |= {"invoice.payment_action_required", "refund.failed"}
    not_here |= {"coupon.created", "coupon.deleted", "coupon.updated"}
    not_here |= {"customer.discount.created", "customer.discount.deleted"}
    not_here |= {"customer.tax_id.created", "customer.tax_id.deleted"}
    assert EMITTED - seen <= not_here


class _Life:
    """The possible fates of a draft."""

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
    assert known >= EVENT_TYPES


def test_every_endpoint_and_parameter_is_stripes() -> None:
    spec = specification()
    assert spec is not None
    wrong: list[str] = []
    for endpoint in ENDPOINTS:
        _, operation = spec.validator.find(endpoint.method, endpoint.template.replace("{}", "x"))
        properties = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
        required = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one["required"]}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            properties |= content["schema"].get("properties", {})
            required |= set(content["schema"].get("required", []))
        if "{}" in endpoint.template:
            properties = {name: schema for name, schema in properties.items() if name not in IN_PATH}
            required -= IN_PATH
        schema = {"properties": properties, "required": sorted(required)}
        wrong += list(_differences(endpoint.params, schema, endpoint.name))
    assert not wrong, "\n".join(wrong)


IN_PATH = {
    "charge", "coupon", "credit_note", "customer", "dispute", "id", "invoice", "invoice_payment", "line_item_id",
    "refund", "subscription", "subscription_exposed_id", "webhook_endpoint",
}  # fmt: skip


def _differences(params: Params, schema: dict[str, Any], where: str) -> Iterator[str]:
    """Yield where a table of parameters differs from the specification, including hashes and lists."""
    known, ours = schema.get("properties", {}), set(params.fields) | params.unsupported
    if ours - set(known):
        yield f"{where}: not Stripe's: {sorted(ours - set(known))}"
    if set(known) - ours:
        yield f"{where}: neither supported nor refused: {sorted(set(known) - ours)}"
    if not set(schema.get("required", [])) <= set(params.required):
        yield f"{where}: required by Stripe: {sorted(set(schema['required']) - set(params.required))}"
    for name, field in params.fields.items():
        inner = field.spec if isinstance(field, ListOf) else field
        if not isinstance(inner, Params) or name not in known:
            continue
        for shape in known[name].get("anyOf", [known[name]]):
            shape = shape.get("items", shape)
            if "properties" in shape:
                yield from _differences(inner, shape, f"{where} {name}")
