"""Objects in the shape of older API versions: events, deliveries, and answers to requests that ask for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess, WebhookSink
from tests.stripe_emulator.subscriptions import at, clock, invoices, payer, price

OLD = ("2020-08-27", "2022-11-15", "2024-06-20")
BASIL = "2025-03-31.basil"
PRESENT = "2026-10-28.endive"


async def account_of(emulator: EmulatorProcess, version: str) -> None:
    await emulator.admin("POST", "settings", {"api_version": version})


async def cycle(emulator: EmulatorProcess, v1: Any) -> Any:
    """Create a subscription in May 2022, and let its first cycle end."""
    await emulator.admin("POST", "settings", {"subscription_invoices": True})
    await clock(emulator, "2022-05-01T00:00:00Z")
    terms = {"customer": await payer(emulator), "items": [{"price": await price(v1)}], "metadata": {"a": "b"}}
    made = await v1.subscriptions.create_async(terms)
    await clock(emulator, "2022-06-01T00:10:00Z")
    return made


@pytest.mark.parametrize("version", OLD)
async def test_events_have_the_accounts_version(emulator: EmulatorProcess, v1: Any, version: str) -> None:
    """`/v1/events` shows an event in the version that the account had then, whatever the request asks for."""
    await account_of(emulator, version)
    made = await cycle(emulator, v1)
    await account_of(emulator, PRESENT)
    draft = (await invoices(v1, made.id))[-1]
    assert draft.parent.subscription_details.subscription == made.id  # an answer has the request's version
    events = await emulator.events(type="invoice.created")
    assert {event.api_version for event in events} == {version}
    invoice = (await v1.events.retrieve_async(events[-1].id)).data.object
    assert (invoice["id"], invoice["subscription"], "parent" in invoice) == (draft.id, made.id, False)
    assert invoice["subscription_details"]["metadata"]["a"] == "b"
    assert (invoice["paid"], invoice["charge"], invoice["total_tax_amounts"]) == (False, None, [])
    (line,) = invoice["lines"]["data"]
    assert (line["type"], line["subscription"], line["proration"]) == ("subscription", made.id, False)
    assert (line["price"]["unit_amount"], "pricing" in line) == (1000, False)
    (renewed,) = await emulator.events(type="customer.subscription.updated")
    subscription = renewed.data.object
    assert (renewed.api_version, subscription["current_period_end"]) == (version, at("2022-07-01"))
    assert "current_period_end" not in subscription["items"]["data"][0]


async def test_an_endpoint_may_have_a_version_of_its_own(
    emulator: EmulatorProcess, receiver: WebhookSink, v1: Any
) -> None:
    await account_of(emulator, "2022-11-15")
    order = {"url": receiver.url, "enabled_events": ["invoice.finalized"]}
    made = await v1.webhook_endpoints.create_async({**order, "api_version": BASIL})
    assert made.api_version == BASIL
    receiver.secret = made.secret
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    await emulator.admin("POST", "flush_webhooks")
    other = await v1.webhook_endpoints.create_async(order)
    await v1.webhook_endpoints.delete_async(made.id)
    assert other.api_version is None
    receiver.secret = other.secret
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    await emulator.admin("POST", "flush_webhooks")
    own, accounts = (json.loads(body) for body in receiver.bodies)
    assert (own["api_version"], accounts["api_version"]) == (BASIL, "2022-11-15")
    assert "parent" in own["data"]["object"]
    assert "parent" not in accounts["data"]["object"]


async def test_answers_have_the_requests_version(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(600, 400)
    invoice = await v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    charge = (await v1.charges.list_async()).data[0]
    await v1.refunds.create_async({"charge": charge.id, "amount": 100})
    note = await v1.credit_notes.create_async({"invoice": invoice.id, "amount": 50, "refund_amount": 50})

    async def get(path: str, version: str | None) -> Any:
        status, headers, answer = await emulator.raw("GET", path, headers={"Stripe-Version": version or ""})
        assert (status, headers["Stripe-Version"]) == (200, version or PRESENT)
        return answer

    for version in OLD:
        shown = await get(f"/v1/invoices/{invoice.id}", version)
        assert (shown["paid"], shown["charge"], shown["payment_intent"]) == (True, charge.id, charge.payment_intent)
        assert [one["id"] for one in (await get("/v1/invoices", version))["data"] if one["paid"]] == [invoice.id]
        assert (await get(f"/v1/credit_notes/{note.id}", version))["refund"] == note.refunds[0].refund
        old = await get(f"/v1/charges/{charge.id}", version)
        assert (old["invoice"], len(old.get("refunds", {}).get("data", []))) == (invoice.id, 2 * (version == OLD[0]))
    assert "charge" not in await get(f"/v1/invoices/{invoice.id}", None)
    await account_of(emulator, "2024-06-20")
    _, headers, answer = await emulator.raw("GET", f"/v1/invoices/{invoice.id}")
    assert (headers["Stripe-Version"], answer["charge"]) == ("2024-06-20", charge.id)


async def test_what_was_paid_elsewhere_was_not_an_amount_paid(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(900)
    await v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    _, _, shown = await emulator.raw("GET", f"/v1/invoices/{draft.id}", headers={"Stripe-Version": "2024-06-20"})
    assert (shown["paid"], shown["paid_out_of_band"], shown["amount_paid"]) == (True, True, 0)


async def test_unknown_versions_are_refused(emulator: EmulatorProcess, v1: Any) -> None:
    error = await emulator.admin("POST", "settings", {"api_version": "2022-11-16"}, status=400)
    assert "2022-11-15" in error["error"]
    with pytest.raises(stripe.InvalidRequestError):
        await v1.webhook_endpoints.create_async(
            {"url": "http://127.0.0.1:9/", "enabled_events": ["*"], "api_version": "2022-11-16"}
        )
