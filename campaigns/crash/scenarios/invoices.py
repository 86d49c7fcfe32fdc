"""An invoice's life: paid, refused and retried, approved, amended, edited, voided; and a held period."""

from __future__ import annotations

import asyncio

import pytest

from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage
from contracts import workflow_ids
from contracts.names import Signals
from storage.accounts import policies
from storage.invoices import invoices as store
from temporal.decisions import approve_period
from tests.e2e.decisions import approve, edited, insist, rebuild, void
from tests.support.months import MAY
from tests.support.until import PATIENCE, until
from tests.support.usage import DAY_CENTS, one_day


async def paid(stage: Stage) -> None:
    """A period with two accounts without Stripe customers: one is billed and pays, the other's usage is tiny."""
    system = stage.system
    await system.add_account("team:new", ("2022-05-01", None))
    await system.add_instance("new-1", "team:new", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.add_instance("new-xl", "team:new", "2022-05-03T10:00", "2022-05-03T20:00", "xl")
    await system.add_account("team:small", ("2022-05-01", None))
    await system.add_instance("small", "team:small", "2022-05-03T10:00", "2022-05-03T10:05")
    await system.run_period(MAY)
    invoice = await system.until_state(f"{MAY}/team:new/period", InvoiceState.BILLED)
    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})
    await system.until_state(invoice.key, InvoiceState.PAID)
    await stage.rest()


async def refused(stage: Stage) -> None:
    """Stripe refuses an invoice; the cause is fixed, and a person retries it."""
    system = stage.system
    key = await one_day(system, "team:bad", customer="cus_nobody")
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.BLOCKED)
    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:bad"}})
    await system.add_account("team:bad", customer=customer.id)
    await store.record_customer(system.db, "team:bad", customer.id)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await system.until_state(key, InvoiceState.BILLED)
    await stage.rest()


async def declined(stage: Stage) -> None:
    """A payment fails, and the failure is recorded."""
    system = stage.system
    key = await one_day(system, "team:broke")
    await system.run_period(MAY)
    invoice = await system.invoice(key)
    card = {"payment_method": "pm_card_chargeDeclined"}
    with pytest.raises(Exception, match="declined"):
        await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, card)

    async def failed() -> bool:
        return (await system.invoice(key)).payment_failed_at is not None

    await until(failed)
    await stage.rest()


async def amended(stage: Stage) -> None:
    """A draft that waits for an approval gets late usage, also of another class."""
    system = stage.system
    key = await one_day(system, "team:amended", finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.DRAFT)
    await system.add_instance("late", "team:amended", "2022-05-05T10:00", "2022-05-06T10:00")
    await system.add_instance("late-xl", "team:amended", "2022-05-05T10:00", "2022-05-06T10:00", "xl")
    await system.client.get_workflow_handle(workflow_ids.billing_period(MAY)).signal(Signals.RUN_AGAIN)

    async def there() -> bool:
        found = await system.invoice(key)
        return found.state is InvoiceState.DRAFT and found.amount == 4 * DAY_CENTS

    await until(there)
    await approve(system, key, 4 * DAY_CENTS)
    await system.until_state(key, InvoiceState.BILLED)
    await stage.rest()


async def calm(stage: Stage) -> None:
    """A draft in Stripe's grace period is held and released again because no usage has arrived. It keeps waiting."""
    system = stage.system
    key = await one_day(system, "team:calm", finalization=Finalization.GRACE)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.AMEND)

    async def released() -> bool:
        filled = [line for line in stage.log.lines() if line.get("ran") == "fill_stripe_draft"]
        found = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
        return bool(filled and found.auto_advance and found.automatically_finalizes_at)

    await until(released)
    # The next decision is handled only after any killed step has finished. It also ends the scenario.
    await void(system, key)
    await system.until_state(key, InvoiceState.DELETED)
    await stage.rest()


async def limited(stage: Stage) -> None:
    """A limit holds an invoice before it reaches Stripe; a person approves it."""
    system = stage.system
    key = await one_day(system, "team:limit", limit_amount=DAY_CENTS - 1)
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.BLOCKED)
    await approve(system, key, DAY_CENTS)
    await system.until_state(key, InvoiceState.BILLED)
    await stage.rest()


async def rebuilt(stage: Stage) -> None:
    """A person edits the draft in Stripe; another rebuilds it from our lines."""
    system = stage.system
    blocked = await edited(system, "team:rebuild")
    await rebuild(system, blocked.key)
    await _until_rebuilt(stage, blocked)
    await approve(system, blocked.key, DAY_CENTS)
    await system.until_state(blocked.key, InvoiceState.BILLED)
    await stage.rest()


async def accepted(stage: Stage) -> None:
    """A person edits the draft in Stripe; another accepts the edit."""
    system = stage.system
    blocked = await edited(system, "team:accept")
    await approve(system, blocked.key, 800)
    await system.until_state(blocked.key, InvoiceState.BILLED)
    await stage.rest()


async def rebuilt_after_finalization(stage: Stage) -> None:
    """A person edits and finalizes the draft; its successor is created once it is voided."""
    system = stage.system
    key = await one_day(system, "team:final-edit", finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    await system.stripe.v1.invoices.finalize_invoice_async(draft.stripe_invoice_id)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.blocked_kind is BlockedKind.EDITED
    await rebuild(system, key)
    await _until_rebuilt(stage, blocked)
    await approve(system, key, DAY_CENTS)
    await system.until_state(key, InvoiceState.BILLED)
    await stage.rest()


async def _until_rebuilt(stage: Stage, blocked: InvoiceRecord) -> None:
    async def there() -> bool:
        found = await stage.system.invoice(blocked.key)
        return found.state is InvoiceState.DRAFT and found.stripe_invoice_id != blocked.stripe_invoice_id

    await until(there)


async def voided(stage: Stage) -> None:
    """An invoice is voided by command and its usage billed again; the second invoice is written off."""
    system = stage.system
    key = await one_day(system, "team:voided")
    await system.run_period(MAY)
    await void(system, key)
    await system.until_state(key, InvoiceState.VOIDED)
    await system.run_period(MAY)
    await void(system, f"{key}/2", write_off=True)
    await system.until_state(f"{key}/2", InvoiceState.VOIDED)
    await stage.rest()


async def held(stage: Stage) -> None:
    """A limit holds a whole period before any of it is claimed, until a person approves it; its customer is known."""
    system = stage.system
    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:one"}})
    await one_day(system, "team:one", customer.id)
    period = await system.start_period(MAY)

    async def there() -> policies.PeriodHold | None:
        found = await policies.read_hold(system.db, MAY)
        return found if found and found.reason else None

    hold = await until(there)
    await insist(lambda: approve_period(system.client, MAY, hold.totals, "ann"))
    await asyncio.wait_for(period.result(), 60 * PATIENCE.get())
    await stage.rest()


SCENARIOS = (
    Scenario("paid", paid),
    Scenario("refused", refused),
    Scenario("declined", declined, like="paid"),
    Scenario("amended", amended),
    Scenario("calm", calm),
    Scenario("limited", limited),
    Scenario("rebuilt", rebuilt, like="amended"),
    Scenario("accepted", accepted, like="amended"),
    Scenario("rebuilt-after-finalization", rebuilt_after_finalization, like="amended"),
    Scenario("voided", voided, like="paid"),
    Scenario("held", held, {"limit_period_amount": "usd=8.63"}),
)
