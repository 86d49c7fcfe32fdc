"""Subscriptions: windows, cancellations, usage on their own invoices, and the sync of accounts."""

from __future__ import annotations

from typing import Any

from billing.invoice.policy import Finalization
from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage
from contracts.names import Signals
from storage.accounts.pauses import paused_subscription
from storage.accounts.subscription_faults import list_faults
from tests.e2e.decisions import approve, rebuild, void
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed
from tests.support.until import until
from tests.support.usage import DAY_CENTS

INVOICES = {"subscription_invoices": True}


async def cancelled(stage: Stage) -> None:
    """A subscription is canceled in the middle of the month; the rest of the month is not covered."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:gone")
    subscription = await they.subscribe(customer)
    await they.until_windows("team:gone", ("2022-05-03", None))
    await system.add_instance("gone", "team:gone", "2022-05-02", None)
    await they.clock("2022-05-05T12:00")
    await they.cancel(subscription)
    await system.until_settled(1)
    await stage.rest()


async def faulty(stage: Stage) -> None:
    """A subscription with an invalid account name waits for a person; its customer is fixed, and it is retried."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team blue")
    subscription = await they.subscribe(customer)

    async def recorded() -> bool:
        return bool(await list_faults(system.db))

    await until(recorded)
    await system.stripe.v1.customers.update_async(customer, {"metadata": {"attribution_id": "team:blue"}})
    await they.workflow(subscription).signal(Signals.RETRY)
    await they.until_windows("team:blue", ("2022-05-03", None))
    await stage.rest()


async def cycle(stage: Stage) -> None:
    """Base fee and usage are on one invoice, which Stripe charges."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("settings", INVOICES)
    await subscribed(system, they, "team:cycle")
    await they.clock("2022-06-10T00:10")
    await only(system, InvoiceState.PAID)
    await stage.rest()


async def too_late(stage: Stage) -> None:
    """The subscription's draft is finalized before our lines are on it; the next invoice bills the usage."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("settings", INVOICES)
    await subscribed(system, they, "team:late")
    busy: dict[str, Any] = {"match": {"method": "POST", "path": "^/v1/invoices/in_"}, "action": "429", "times": None}
    await system.admin("faults", busy)
    await they.clock("2022-06-10T00:10")
    claimed = await only(system, InvoiceState.CLAIMED)
    await they.clock("2022-06-10T02:00")  # Stripe's hour is over
    await system.admin("faults", method="DELETE")
    await system.until_state(claimed.key, InvoiceState.DELETED)
    stripe = await system.stripe.v1.invoices.retrieve_async(claimed.stripe_invoice_id)
    assert stripe.subtotal == FEE
    await they.clock("2022-07-10T00:10")

    async def billed() -> bool:
        return any(i.state is InvoiceState.PAID for i in await system.invoices())

    await until(billed)
    await stage.rest()


async def taken(stage: Stage) -> None:
    """Our lines are removed from the subscription's draft, which keeps only the base fee."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("settings", INVOICES)
    await subscribed(system, they, "team:taken", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    draft = await only(system, InvoiceState.DRAFT)
    await void(system, draft.key)
    await system.until_state(draft.key, InvoiceState.DELETED)
    await stage.rest()


async def fixed(stage: Stage) -> None:
    """A person changes our line on the subscription's draft; another rebuilds our lines."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("settings", INVOICES)
    await subscribed(system, they, "team:fixed", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    draft = await only(system, InvoiceState.DRAFT)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
    ours = next(line for line in stripe.lines.data if "perdure_line" in line.metadata)
    await system.stripe.v1.invoices.line_items.update_async(draft.stripe_invoice_id, ours.id, {"amount": 1})
    await approve(system, draft.key, DAY_CENTS)
    await system.until_state(draft.key, InvoiceState.BLOCKED)
    await rebuild(system, draft.key)
    await system.until_state(draft.key, InvoiceState.DRAFT)
    await approve(system, draft.key, DAY_CENTS)
    await system.until_state(draft.key, InvoiceState.BILLED, InvoiceState.PAID)
    await stage.rest()


async def waiting(stage: Stage) -> None:
    """Collection is paused while a cycle ends; the draft waits with its usage until collection is resumed."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("settings", INVOICES)
    subscription = await subscribed(system, they, "team:waits")
    paused: Any = {"pause_collection": {"behavior": "keep_as_draft"}}
    await system.stripe.v1.subscriptions.update_async(subscription, paused)

    async def known() -> bool:
        return await paused_subscription(system.db, "team:waits") is not None

    await until(known)
    await they.clock("2022-06-10T00:10")
    invoice = await only(system, InvoiceState.BLOCKED)
    await system.stripe.v1.subscriptions.update_async(subscription, {"pause_collection": ""})
    await system.until_state(invoice.key, InvoiceState.PAID)
    await stage.rest()


async def free(stage: Stage) -> None:
    """Stripe voids a subscription's invoices for a while: that time is excluded from its windows."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:free")
    subscription = await they.subscribe(customer)
    await they.until_windows("team:free", ("2022-05-03", None))
    await they.clock("2022-05-10")
    paused: Any = {"pause_collection": {"behavior": "void"}}
    await system.stripe.v1.subscriptions.update_async(subscription, paused)
    await they.until_windows("team:free", ("2022-05-03", "2022-05-10"), ("2022-05-10", None))
    await they.clock("2022-05-20")
    await system.stripe.v1.subscriptions.update_async(subscription, {"pause_collection": ""})
    spans = (("2022-05-03", "2022-05-10"), ("2022-05-10", "2022-05-20"), ("2022-05-20", None))
    await they.until_windows("team:free", *spans)
    await stage.rest()


async def synced(stage: Stage) -> None:
    """`perdure accounts sync` reads changes in Stripe for which no webhook arrived."""
    system, they = stage.system, Subscribers(stage.system)
    await system.admin("webhook_faults", {"match": {"type": ""}, "action": "drop", "times": None})
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:went")
    first = await they.subscribe(customer, currency="eur")
    await they.clock("2022-05-05")
    await they.cancel(first)
    await they.clock("2022-05-10")
    await they.subscribe(customer, currency="eur")
    await they.customer(attribution_id="team:other")
    await system.add_account("team:other")
    await stage.perdure("accounts", "sync", "--bill-after", "2022-01-01T00:00:00Z")
    await they.until_windows("team:went", ("2022-05-03", "2022-05-05"), ("2022-05-10", None))
    await stage.rest()


SCENARIOS = (
    Scenario("cancelled", cancelled),
    Scenario("faulty", faulty),
    Scenario("cycle", cycle),
    Scenario("too-late", too_late, like="cycle"),
    Scenario("taken", taken, like="cycle"),
    Scenario("fixed", fixed, like="cycle"),
    Scenario("waiting", waiting, like="cycle"),
    Scenario("free", free),
    Scenario("synced", synced),
)
