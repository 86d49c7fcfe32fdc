from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess
from tests.support.until import until


async def refused(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    return caught.value


async def test_from_draft_to_paid(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000, 234, metadata={"perdure_invoice": "k"}, description="May")
    assert (draft.status, draft.auto_advance, draft.number, draft.billing_reason) == ("draft", False, None, "manual")
    assert (draft.subtotal, draft.total, draft.amount_due, draft.amount_remaining) == (1234, 1234, 1234, 1234)
    final = await v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": False})
    assert (final.status, final.status_transitions.finalized_at) == ("open", final.effective_at)
    assert final.number.endswith("-0001")
    assert final.hosted_invoice_url.startswith("https://")
    error = await refused(v1.invoices.finalize_invoice_async(draft.id))
    assert (error.code, error.http_status) == ("invoice_not_editable", 400)
    paid = await v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1234, 0)
    assert paid.status_transitions.paid_at is not None
    kinds = [event.type for event in await emulator.events() if event.type.startswith("invoice.")]
    assert kinds == [
        "invoice.created", "invoice.updated", "invoice.updated", "invoice.finalized", "invoice.updated",
        "invoice.paid", "invoice.payment_succeeded",
    ]  # fmt: skip


async def test_events_carry_snapshots_and_who_asked(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(500)
    await v1.invoices.finalize_invoice_async(draft.id, options={"idempotency_key": "finalize/1"})
    event = (await emulator.events(type="invoice.finalized"))[0]
    assert (event.api_version, event.request.idempotency_key) == ("2026-10-28.endive", "finalize/1")
    assert event.request.id.startswith("req_")
    await v1.invoices.void_invoice_async(draft.id)
    again = await v1.events.retrieve_async(event.id)
    assert again.data.object.status == "open"
    updated = (await emulator.events(type="invoice.updated"))[1]
    assert updated.data.previous_attributes.status == "draft"


@pytest.mark.parametrize(("amount", "balance"), [(0, 0), (49, 49), (-300, -300)])
async def test_too_little_to_charge_is_paid_at_once(
    emulator: EmulatorProcess, v1: Any, amount: int, balance: int
) -> None:
    draft = await emulator.draft(amount)
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.status, final.amount_due, final.total) == ("paid", 0, amount)
    assert final.status_transitions.finalized_at == final.status_transitions.paid_at
    assert (await v1.customers.retrieve_async(draft.customer)).balance == balance
    assert final.ending_balance == balance


async def test_an_empty_invoice_is_zero(emulator: EmulatorProcess, v1: Any) -> None:
    final = await v1.invoices.finalize_invoice_async((await emulator.draft()).id)
    assert (final.status, final.total, final.lines.data) == ("paid", 0, [])


async def test_the_customers_balance_counts(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer(balance=-400)
    draft = await emulator.draft(1000, customer=owner.id)
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.subtotal, final.total, final.amount_due) == (1000, 1000, 600)
    assert (final.starting_balance, final.ending_balance) == (-400, 0)


async def test_voided_and_uncollectible(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000)
    assert (await refused(v1.invoices.void_invoice_async(draft.id))).code == "status_transition_invalid"
    await v1.invoices.finalize_invoice_async(draft.id)
    lost = await v1.invoices.mark_uncollectible_async(draft.id)
    assert (lost.status, lost.status_transitions.marked_uncollectible_at is None) == ("uncollectible", False)
    void = await v1.invoices.void_invoice_async(draft.id)
    assert (void.status, void.status_transitions.voided_at is None) == ("void", False)
    assert (await refused(v1.invoices.void_invoice_async(draft.id))).code == "status_transition_invalid"
    assert (await refused(v1.invoices.pay_async(draft.id))).code == "status_transition_invalid"
    kinds = {event.type for event in await emulator.events()}
    assert {"invoice.voided", "invoice.marked_uncollectible"} <= kinds


async def test_only_a_draft_can_be_deleted(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000)
    assert (await v1.invoices.delete_async(draft.id)).deleted
    error = await refused(v1.invoices.retrieve_async(draft.id))
    assert (error.code, error.http_status) == ("resource_missing", 404)
    assert (await emulator.events())[-1].type == "invoice.deleted"
    other = await emulator.draft(1000)
    await v1.invoices.finalize_invoice_async(other.id)
    assert (await refused(v1.invoices.delete_async(other.id))).code == "invoice_not_editable"


async def test_what_may_change_when(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000, metadata={"a": "1"})
    changed = await v1.invoices.update_async(draft.id, {"description": "new", "metadata": {"b": "2"}})
    assert (changed.description, changed.metadata.to_dict()) == ("new", {"a": "1", "b": "2"})
    await v1.invoices.finalize_invoice_async(draft.id)
    later = await v1.invoices.update_async(draft.id, {"metadata": {"c": "3"}})
    assert later.metadata.to_dict() == {"a": "1", "b": "2", "c": "3"}
    assert (await refused(v1.invoices.update_async(draft.id, {"description": "x"}))).code == "invoice_not_editable"


async def test_due_dates_belong_to_invoices_that_are_sent(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer(email="a@example.com")
    for wrong, param in (
        ({"days_until_due": 30}, "days_until_due"),
        ({"due_date": 4_000_000_000}, "due_date"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"collection_method": "send_invoice", "days_until_due": 3, "due_date": 4_000_000_000}, "due_date"),
        ({"automatically_finalizes_at": 4_000_000_000}, "automatically_finalizes_at"),
        ({"description": "x" * 1501}, "description"),
    ):
        assert (await refused(v1.invoices.create_async({"customer": owner.id, **wrong}))).param == param
    draft = await emulator.draft(900, customer=owner.id, collection_method="send_invoice", days_until_due=30)
    assert draft.due_date == draft.created + 30 * 86400
    await emulator.admin("POST", "clock", {"advance_seconds": 86400})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert final.due_date == final.status_transitions.finalized_at + 30 * 86400
    await v1.invoices.send_invoice_async(draft.id)
    assert (await emulator.events())[-1].type == "invoice.sent"


async def test_an_advancing_draft_finalizes_an_hour_later_on_the_clock(emulator: EmulatorProcess, v1: Any) -> None:
    advancing, resting = await emulator.draft(1000, auto_advance=True), await emulator.draft(1000)
    assert advancing.automatically_finalizes_at == advancing.created + 3600
    await emulator.admin("POST", "clock", {"advance_seconds": 3500})
    assert (await v1.invoices.retrieve_async(advancing.id)).status == "draft"
    moved = await emulator.admin("POST", "clock", {"advance_seconds": 101})
    assert moved["timers_fired"] == 1
    assert (await v1.invoices.retrieve_async(advancing.id)).status == "open"
    assert (await v1.invoices.retrieve_async(resting.id)).status == "draft"
    event = (await emulator.events(type="invoice.finalized"))[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)


async def test_the_hour_of_a_draft_can_be_moved_stopped_and_begun_again(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-01T00:00:00Z", "frozen": True})
    draft = await emulator.draft(1000, auto_advance=True)
    start = draft.created

    async def update(**params: Any) -> int | None:
        changed = await v1.invoices.update_async(draft.id, params)
        assert changed.next_payment_attempt == changed.automatically_finalizes_at
        return changed.automatically_finalizes_at  # type: ignore[no-any-return]

    async def status_at(seconds: int) -> str:
        frozen = datetime.fromtimestamp(start + seconds, UTC).isoformat()
        await emulator.admin("POST", "clock", {"now": frozen, "frozen": True})
        return str((await v1.invoices.retrieve_async(draft.id)).status)

    assert await update(automatically_finalizes_at=start + 72 * 3600) == start + 72 * 3600
    assert await update(metadata={"a": "b"}) == start + 72 * 3600
    assert await status_at(7200) == "draft"
    assert await update(auto_advance=False) is None
    assert await status_at(100 * 3600) == "draft"
    for wrong in (start + 100 * 3600, start + 99 * 3600, start + 6 * 366 * 86400):
        order = {"auto_advance": True, "automatically_finalizes_at": wrong}
        assert (await refused(v1.invoices.update_async(draft.id, order))).param == "automatically_finalizes_at"
    alone = {"automatically_finalizes_at": start + 101 * 3600}
    assert (await refused(v1.invoices.update_async(draft.id, alone))).param == "automatically_finalizes_at"
    assert await update(auto_advance=True) == start + 101 * 3600
    assert await update(auto_advance=True, automatically_finalizes_at=start + 105 * 3600) == start + 105 * 3600
    assert await status_at(102 * 3600) == "draft"
    assert await status_at(105 * 3600) == "open"


@pytest.mark.waits
async def test_an_advancing_draft_finalizes_when_real_time_passes(emulator: EmulatorProcess, v1: Any) -> None:
    soon = (await emulator.customer()).created + 3
    draft = await emulator.draft(1000, auto_advance=True, automatically_finalizes_at=soon)
    assert draft.automatically_finalizes_at == soon

    async def finalized() -> bool:
        return bool((await v1.invoices.retrieve_async(draft.id)).status == "open")

    await until(finalized)


async def test_without_its_customer_it_cannot_be_finalized(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000, auto_advance=True)
    await v1.customers.delete_async(draft.customer)
    await emulator.admin("POST", "clock", {"advance_seconds": 3700})
    stuck = await v1.invoices.retrieve_async(draft.id)
    assert (stuck.status, stuck.auto_advance, stuck.last_finalization_error.code) == (
        "draft", False, "resource_missing",
    )  # fmt: skip
    assert (await emulator.events())[-1].type == "invoice.finalization_failed"
    assert (await refused(v1.invoices.finalize_invoice_async(draft.id))).param == "customer"


async def test_an_advancing_invoice_is_charged(emulator: EmulatorProcess, v1: Any) -> None:
    rich = await emulator.customer(invoice_settings={"default_payment_method": "pm_card_visa"})
    poor = await emulator.customer(invoice_settings={"default_payment_method": "pm_card_chargeCustomerFail"})
    one, two = await emulator.draft(900, customer=rich.id), await emulator.draft(900, customer=poor.id)
    paid = await v1.invoices.finalize_invoice_async(one.id, {"auto_advance": True})
    assert (paid.status, paid.attempt_count) == ("paid", 1)
    unpaid = await v1.invoices.finalize_invoice_async(two.id, {"auto_advance": True})
    assert (unpaid.status, unpaid.attempt_count) == ("open", 1)
    with pytest.raises(stripe.CardError) as caught:
        await v1.invoices.pay_async(two.id)
    assert (caught.value.code, caught.value.http_status) == ("card_declined", 402)
    assert (await v1.invoices.retrieve_async(two.id)).attempt_count == 2
    assert len(await emulator.events(type="invoice.payment_failed")) == 2
    assert (await v1.invoices.pay_async(two.id, {"payment_method": "pm_card_visa"})).status == "paid"
    bare = await emulator.draft(900)
    assert (await refused(v1.invoices.pay_async(bare.id))).code == "resource_missing"
    assert (await v1.invoices.retrieve_async(bare.id)).status == "draft"


async def test_an_invoice_names_its_subscription(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    data = {"currency": "usd", "unit_amount": 0, "recurring": {"interval": "month"}, "product_data": {"name": "P"}}
    price = await v1.prices.create_async(data)
    subscription = await v1.subscriptions.create_async(
        {"customer": owner.id, "items": [{"price": price.id}], "metadata": {"plan": "x"}}
    )
    made = await v1.invoices.create_async({"subscription": subscription.id})
    details = made.parent.subscription_details
    assert (made.customer, details.subscription, details.metadata.plan) == (owner.id, subscription.id, "x")
    listed = await v1.invoices.list_async({"subscription": subscription.id})
    assert [one.id for one in listed.data] == [made.id]
    stranger = await emulator.customer()
    error = await refused(v1.invoices.create_async({"customer": stranger.id, "subscription": subscription.id}))
    assert error.param == "subscription"


async def test_pending_items_wait_until_they_are_asked_for(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    item = await v1.invoice_items.create_async({"customer": owner.id, "amount": 700, "currency": "usd"})
    assert (await v1.invoices.create_async({"customer": owner.id, "currency": "usd"})).total == 0
    taken = await v1.invoices.create_async(
        {"customer": owner.id, "currency": "usd", "pending_invoice_items_behavior": "include"}
    )
    assert taken.total == 700
    assert taken.lines.data[0].parent.invoice_item_details.invoice_item == item.id
    assert (await v1.invoice_items.list_async({"customer": owner.id, "pending": True})).data == []
    await v1.invoice_items.update_async(item.id, {"amount": 800, "description": "more"})
    assert (await v1.invoices.retrieve_async(taken.id)).total == 800
    await v1.invoices.delete_async(taken.id)
    assert [one.id for one in (await v1.invoice_items.list_async({"pending": True})).data] == [item.id]
    await v1.invoice_items.delete_async(item.id)
    direct = await v1.invoices.create_async({"customer": owner.id, "currency": "usd"})
    made = await v1.invoice_items.create_async({"customer": owner.id, "invoice": direct.id, "amount": 5})
    assert (await v1.invoices.retrieve_async(direct.id)).total == 5
    await v1.invoice_items.delete_async(made.id)
    assert (await v1.invoices.retrieve_async(direct.id)).total == 0
