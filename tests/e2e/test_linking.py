"""Events that do not tell whose they are lead to our invoice, or to the account, all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from activities.stripe_invoices import StripeInvoiceActivities
from activities.stripe_links import StripeLinkActivities
from billing.invoice import InvoiceState
from contracts import workflow_ids
from contracts.invoices import StripeInvoiceRef
from contracts.links import LinkedInvoice, StripeInvoiceId
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.metrics import metered
from tests.support.system import System, until


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        await found.clock("2022-05-01")
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def linked(system: System, stripe_id: str) -> LinkedInvoice:
    """What its workflow found out, once it has."""
    handle = system.client.get_workflow_handle(workflow_ids.stripe_invoice(stripe_id), result_type=LinkedInvoice)

    async def there() -> bool:
        return [found async for found in system.client.list_workflows(f"WorkflowId = '{handle.id}'")] != []

    await until(there)
    result: LinkedInvoice = await handle.result()
    return result


async def billed(system: System, they: Subscribers, team: str) -> str:
    """An open invoice of ours; gives Stripe's id."""
    await system.add_account(f"team:{team}", ("2022-05-01", None))
    await system.add_instance(team, f"team:{team}", "2022-05-03", "2022-05-04")
    await they.clock("2022-06-01")
    await system.run_period()
    await system.admin("flush_webhooks", {})
    return str((await system.invoice(f"2022-05/team:{team}/period")).stripe_invoice_id)


async def test_an_invoice_that_gives_only_its_id_is_found_by_it(system: System, they: Subscribers) -> None:
    stripe_id = await billed(system, they, "bare")
    await system.admin("webhook_faults", {"match": {"type": "^invoice"}, "action": "strip", "times": None})
    await system.stripe.v1.invoices.pay_async(stripe_id, {"paid_out_of_band": True})
    await system.until_state("2022-05/team:bare/period", InvoiceState.PAID)
    found = await linked(system, stripe_id)
    assert (found.invoice_key, found.attribution_id) == ("2022-05/team:bare/period", "team:bare")


async def test_an_invoice_whose_metadata_somebody_removed(system: System, they: Subscribers) -> None:
    stripe_id = await billed(system, they, "stripped")
    await system.stripe.v1.invoices.update_async(stripe_id, {"metadata": {"perdure_invoice": ""}})
    await system.admin("webhook_faults", {"match": {"type": "^invoice"}, "action": "strip", "times": None})
    await system.stripe.v1.invoices.void_invoice_async(stripe_id)
    await system.until_state("2022-05/team:stripped/period", InvoiceState.VOIDED)


async def test_the_draft_of_a_cycle_leads_to_its_account(system: System, they: Subscribers) -> None:
    customer = await they.customer(attribution_id="team:cycle")
    pays = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
    await system.stripe.v1.customers.update_async(customer, pays)
    subscription = await they.subscribe(customer)
    await they.until_windows("team:cycle", ("2022-05-01", None))
    await they.clock("2022-06-01T00:05")
    draft = (await system.stripe.v1.invoices.list_async({"subscription": subscription, "status": "draft"})).data[0]
    found = await linked(system, draft.id)
    assert found == LinkedInvoice(
        stripe_invoice_id=draft.id,
        attribution_id="team:cycle",
        stripe_subscription_id=subscription,
        stripe_customer_id=customer,
        status="draft",
        billing_reason="subscription_cycle",
    )
    details = str(
        await system.client.get_workflow_handle(workflow_ids.stripe_invoice(draft.id)).query(
            "__temporal_workflow_metadata"
        )
    )
    assert "team:cycle" in details


async def test_a_customer_leads_to_its_account(system: System, they: Subscribers) -> None:
    """Before Postgres knows the subscription."""
    customer = await they.customer()
    await system.add_account("team:customer", customer=customer)
    await system.admin("webhook_faults", {"match": {"type": "^customer"}, "action": "drop", "times": None})
    subscription = await they.subscribe(customer)
    first = (await system.stripe.v1.invoices.list_async({"subscription": subscription})).data[0]
    assert (await linked(system, first.id)).attribution_id == "team:customer"


async def test_what_is_of_no_account_is_counted_and_left_alone(system: System, they: Subscribers) -> None:
    await system.stop()
    meter = await metered(system)
    await system.start()
    subscription = await they.subscribe(await they.customer(attribution_id="not ours"))
    first = (await system.stripe.v1.invoices.list_async({"subscription": subscription})).data[0]
    found = await linked(system, first.id)
    assert found.foreign
    assert await meter.count("perdure_foreign_invoices") == 1


async def test_a_credit_note_made_by_a_person_leads_to_our_invoice(system: System, they: Subscribers) -> None:
    stripe_id = await billed(system, they, "credited")
    for strip in (False, True):
        if strip:
            await system.admin("webhook_faults", {"match": {"type": "^credit"}, "action": "strip", "times": None})
        note = await system.stripe.v1.credit_notes.create_async({"invoice": stripe_id, "amount": 100})
        found = await linked(system, note.id if strip else stripe_id)
        assert found.invoice_key == "2022-05/team:credited/period"
    ref = StripeInvoiceRef(invoice_key=str(found.invoice_key), stripe_invoice_id=stripe_id)
    snapshot = await StripeInvoiceActivities(system.stripe).retrieve(ref)
    assert (snapshot.credited, snapshot.billing_reason, snapshot.attempt_count) == (200, "manual", 1)
    assert snapshot.created is not None
    assert snapshot.stripe_subscription_id is None


async def test_an_invoice_that_stripe_does_not_show(system: System, they: Subscribers) -> None:
    stripe = StripeLinkActivities(system.stripe)
    assert (await stripe.find(StripeInvoiceId(stripe_id="in_gone"))).status == "deleted"
    assert (await stripe.find(StripeInvoiceId(stripe_id="cn_gone"))).status == "deleted"
