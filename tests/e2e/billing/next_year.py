"""The account's next year: it returns for a trial, then on its subscription's invoices, then in another currency.

It is charged by card, and Stripe makes invoices of its own for the base fees.
"""

from __future__ import annotations

from typing import Any

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, BlockedKind, ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.accounts import policies
from tests.e2e.billing.life import TEAM, Life
from tests.e2e.subscribers import FEE
from tests.support.system import at
from tests.support.until import until

DAYS = (
    ("2022-01-10T09:30", "2022-02-14T12:00"),
    ("2022-03-05", "2022-08-04"),
    ("2022-08-11", "2023-01-11"),
)
"""The windows of the year before."""
_FOURTH = (("2023-02-01", "2023-02-10"),)
"""The trial of the fourth subscription."""


async def trial_and_cycles(life: Life, customer: str) -> str:
    """A trial costs nothing, and from its end the subscription's own invoice has the usage of each cycle."""
    card = {"default_payment_method": "pm_card_visa"}
    await life.system.stripe.v1.customers.update_async(customer, {"invoice_settings": card})
    await policies.write_policy(life.system.db, TEAM, AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION))
    await life.they.clock("2023-02-01")
    fourth = await life.they.subscribe(customer, trial_end=int(at("2023-02-10").timestamp()))
    life.year.subscribe("2023-02-01", trial_until="2023-02-10")
    await life.they.until_windows(TEAM, *DAYS, *_FOURTH, ("2023-02-10", None))
    await life.runs("free", "2023-02-03T10:00", "2023-02-05T01:02:03")
    await life.runs("becomes-paid", "2023-02-09T12:00", "2023-02-11T13:14:15", "xl")
    await cycle(life, "2023-02-10")
    await left_out(life, "2023-02", "2023-03-01")
    assert await excluded(life, "2023-02", "trial") == life.year.free("trial")

    await life.runs("across-cycles", "2023-03-08", "2023-03-12T06:07:08", "xl")
    await cycle(life, "2023-03-10")
    await given(life, fourth)
    await left_out(life, "2023-03", "2023-04-01")
    assert await excluded(life, "2023-03", "collection_paused") == life.year.free("collection_paused")
    await refund(life, "cycle 2023-03-10", 250)
    return fourth


async def given(life: Life, subscription: str) -> None:
    """Collection is paused for five days, in which the service is free."""
    await life.they.clock("2023-03-15")
    path = life.system.stripe.v1.subscriptions
    await path.update_async(subscription, {"pause_collection": {"behavior": "void"}})
    await life.they.until_windows(TEAM, *DAYS, *_FOURTH, ("2023-02-10", "2023-03-15"), ("2023-03-15", None))
    await life.they.clock("2023-03-20")
    await path.update_async(subscription, {"pause_collection": ""})
    paid = ("2023-02-10", "2023-03-15"), ("2023-03-15", "2023-03-20"), ("2023-03-20", None)
    await life.they.until_windows(TEAM, *DAYS, *_FOURTH, *paid)
    life.year.give("2023-03-15", "2023-03-20")
    await life.runs("partly-free", "2023-03-14T12:00", "2023-03-21T13:14:15")


async def held(life: Life, subscription: str) -> None:
    """A person holds a cycle's draft: nobody is charged until they release it."""
    slowly = {"match": {"type": "invoice.created"}, "action": "delay", "seconds": 3}
    await life.system.admin("webhook_faults", slowly)
    await life.they.clock("2023-04-10T00:05")
    draft = (await life.system.stripe.v1.invoices.list_async({"subscription": subscription, "limit": 1})).data[0]
    assert draft.status == "draft"
    await life.system.stripe.v1.invoices.update_async(draft.id, {"auto_advance": False})
    assert life.year.settle("cycle 2023-04-10", "2023-04-10", fee=FEE)
    life.year.bills["cycle 2023-04-10"].waiting = True
    key = f"2023-04/{TEAM}/subscription/{draft.id}"
    await life.system.until_state(key, InvoiceState.BLOCKED)
    await life.they.clock("2023-04-12")
    await life.agree()
    assert (await life.system.stripe.v1.invoices.retrieve_async(draft.id)).status == "draft"

    await life.system.stripe.v1.invoices.update_async(draft.id, {"auto_advance": True})
    released = await life.system.until_state(key, InvoiceState.PAID)
    life.year.bills["cycle 2023-04-10"].waiting = False
    assert released.amount == life.year.bills["cycle 2023-04-10"].amount
    await life.agree()


async def another_currency(life: Life, customer: str, fourth: str) -> None:
    """It cancels and returns in EUR: late usage in USD waits until Stripe takes that currency again."""
    await life.runs("until-cancelled", "2023-04-15", "2023-04-25", "xl")
    await life.they.clock("2023-04-20T10:00")
    await life.they.cancel(fourth)
    life.year.cancel("2023-04-20T10:00")
    await life.cancelled(fourth, "2023-04-20T10:00")

    await policies.write_policy(life.system.db, TEAM, AccountPolicy(charge_on=ChargeOn.OWN))
    await life.they.clock("2023-05-03")
    fifth = await life.they.subscribe(customer, currency="eur")
    life.year.subscribe("2023-05-03", "eur")
    await life.until_last_window("2023-05-03")
    await life.runs("in-eur", "2023-05-02", "2023-05-20T01:01:01", "xl")
    await life.runs("late-in-usd", "2023-04-16", "2023-04-17T02:00")
    await life.they.clock("2023-06-01T06:00")
    run = await life.system.start_period("2023-05")
    assert life.year.settle("2023-05 eur", "2023-06-01", "eur")
    assert life.year.settle("2023-05", "2023-06-01")
    life.year.bills["2023-05"].waiting = True
    await life.system.until_state(f"2023-05/{TEAM}/period/eur", InvoiceState.PAID)
    refused = await life.system.until_state(f"2023-05/{TEAM}/period", InvoiceState.BLOCKED)
    assert refused.blocked_kind is BlockedKind.CURRENCY
    await life.agree()

    await life.runs("june", "2023-06-10", "2023-06-12T03:04:05")
    await life.they.clock("2023-06-15")
    await life.they.cancel(fifth)
    life.year.cancel("2023-06-15")
    life.year.bills["2023-05"].waiting = False
    await life.cancelled(fifth, "2023-06-15", "eur")
    await run.result()
    assert (await life.system.invoice(refused.key)).amount == life.year.bills["2023-05"].amount
    await life.month("2023-06", "2023-07-01")


async def cycle(life: Life, end: str) -> None:
    """Let a cycle end, and wait until its invoice has been paid, with the usage up to its end if there is any."""
    await life.they.clock(f"{end}T00:05")
    if amount := life.year.settle(f"cycle {end}", end, fee=FEE):

        async def paid() -> InvoiceRecord | None:
            for invoice in await life.system.invoices(end[:7]):
                if invoice.reason is InvoiceReason.SUBSCRIPTION and invoice.state is InvoiceState.PAID:
                    return invoice
            return None

        found = await until(paid)
        assert (found.amount, found.cutoff) == (amount, at(end))
    await life.agree()


async def left_out(life: Life, month: str, end: str) -> None:
    """Run a month, which leaves the account to its subscription."""
    await life.they.clock(f"{end}T06:00")
    await life.system.run_period(month)
    assert [i for i in await life.system.invoices(month) if i.reason is InvoiceReason.PERIOD] == []


async def excluded(life: Life, month: str, reason: str) -> dict[str, int]:
    """Return the seconds that the month's status lists under this reason, by instance."""
    rows: list[dict[str, Any]] = await life.excluded(month)
    return {row["instance_id"]: row["duration_us"] // 10**6 for row in rows if row["reason"] == reason}


async def refund(life: Life, name: str, cents: int) -> None:
    """Refund a part of a paid invoice in the dashboard: it is recorded, and changes neither state nor total."""
    bill = life.year.bills[name]
    paid = next(i for i in await life.system.invoices() if i.amount == bill.amount and i.state is InvoiceState.PAID)
    payments = await life.system.stripe.v1.invoice_payments.list_async({"invoice": paid.stripe_invoice_id})
    intent = payments.data[0].payment.payment_intent
    await life.system.stripe.v1.refunds.create_async({"payment_intent": intent, "amount": cents})
    bill.refunded += cents
    await life.until_refunded(paid, bill.refunded)
    assert (await life.system.invoice(paid.key)).state is InvoiceState.PAID
    await life.agree()
