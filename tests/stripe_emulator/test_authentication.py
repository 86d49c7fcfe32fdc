"""Cards whose holder has to authenticate a payment."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess, code_of
from tests.stripe_emulator.subscriptions import clock, invoices, price

CARD = "pm_card_threeDSecure2Required"


async def payment_events(emulator: EmulatorProcess) -> list[str]:
    events = await emulator.events()
    return [one.type for one in events if one.type.startswith("invoice.pa")]


async def test_an_invoice_waits_for_the_cardholder(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"unpaid_after_attempts": 3})
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer(invoice_settings={"default_payment_method": CARD})
    draft = await emulator.draft(900, customer=owner.id)
    waiting = await v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": True})
    assert (waiting.status, waiting.attempt_count, waiting.next_payment_attempt) == ("open", 1, None)
    assert await payment_events(emulator) == ["invoice.payment_failed", "invoice.payment_action_required"]
    with pytest.raises(stripe.CardError) as caught:
        await v1.invoices.pay_async(draft.id)
    assert (code_of(caught.value), caught.value.http_status) == ("invoice_payment_intent_requires_action", 402)
    await clock(emulator, "2022-05-20T00:00:00Z")
    assert (await v1.invoices.retrieve_async(draft.id)).attempt_count == 2
    paid = await emulator.admin("POST", f"invoices/{draft.id}/authenticate")
    assert (paid["status"], paid["amount_paid"]) == ("paid", 900)
    assert (await v1.charges.list_async()).data[0].payment_method == CARD
    await emulator.admin("POST", f"invoices/{draft.id}/authenticate", status=400)


async def test_a_subscription_is_incomplete_until_then(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"subscription_invoices": True})
    owner = await emulator.customer(invoice_settings={"default_payment_method": CARD})
    terms = {"customer": owner.id, "items": [{"price": await price(v1)}]}
    made = await v1.subscriptions.create_async(terms)
    assert made.status == "incomplete"
    (first,) = await invoices(v1, made.id)
    await emulator.admin("POST", f"invoices/{first.id}/authenticate")
    assert (await v1.subscriptions.retrieve_async(made.id)).status == "active"


async def test_only_what_waits_for_it_can_be_authenticated(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    error = await emulator.admin("POST", f"invoices/{draft.id}/authenticate", status=400)
    assert "needs authentication" in error["error"]
