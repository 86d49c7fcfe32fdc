"""A year and a half of one account's life on Stripe's clock: invoices less credits equal the reference to the cent.

The reference shares no code with the product.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.invoices import VoidInvoice
from contracts.names import Updates
from devstack.servers.emulator import EmulatorServer
from storage.invoices import disputes
from storage.invoices.disputes import DisputeRecord
from storage.postgres.upgrade import upgrade
from temporal.decisions import decide
from tests.e2e.billing.life import TEAM, Life
from tests.e2e.billing.next_year import another_currency, held, trial_and_cycles
from tests.e2e.billing.year_reference import Year
from tests.e2e.subscribers import subscribing
from tests.support.databases import FreshDatabase
from tests.support.rest import unheard
from tests.support.system import running_system
from tests.support.until import until

pytestmark = pytest.mark.waits

RATES = [
    ("2022-01-01", {"default": "0.1666666667", "xl": "0.3333333333"}, {"usd": "0.036"}),
    ("2022-04-10", {"default": "0.2", "xl": "0.4"}, {"usd": "0.033"}),
    ("2023-03-11", {"default": "0.25", "xl": "0.5"}, {"usd": "0.031", "eur": "0.029"}),
]
CARD = "".join(
    f"""
[[version]]
effective_from = {start}T00:00:00Z
credits_per_minute = {{ default = "{rates["default"]}", xl = "{rates["xl"]}" }}
price_per_credit = {{ {", ".join(f'{currency} = "{price}"' for currency, price in prices.items())} }}
minimum_charge = {{ {", ".join(f'{currency} = "0.50"' for currency in prices)} }}
"""
    for start, rates, prices in RATES
)


@pytest.fixture
async def life(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[Life]:
    url = await fresh_database(upgrade)
    async with (
        running_system(
            temporal_client,
            url,
            stripe_emulator,
            tmp_path,
            rate_card=CARD,
            events_settle_seconds=0.0,
            finalization_poll_seconds=1.0,
        ) as system,
        subscribing(system) as they,
    ):
        yield Life(system, they, Year(RATES, minimum=50))
        await system.admin("settings", {"subscription_invoices": False})


async def first_quarter(life: Life, customer: str) -> str:
    """Subscribe, use, cancel and return within the quarter; usage in between is not covered."""
    await life.they.clock("2022-01-10T09:30")
    first = await life.they.subscribe(customer)
    life.year.subscribe("2022-01-10T09:30")
    await life.they.until_windows(TEAM, ("2022-01-10T09:30", None))
    await life.runs("early", "2022-01-09", "2022-01-12T07:13:11")
    await life.runs("long", "2022-01-20T22:00", "2022-03-09T04:05:06", "xl")
    await life.month("2022-01", "2022-02-01")

    await life.they.clock("2022-02-14T12:00")
    await life.they.cancel(first)
    life.year.cancel("2022-02-14T12:00")
    await life.cancelled(first, "2022-02-14T12:00")
    await life.month("2022-02", "2022-03-01")

    await life.they.clock("2022-03-05")
    second = await life.they.subscribe(customer)
    life.year.subscribe("2022-03-05")
    await life.they.until_windows(TEAM, ("2022-01-10T09:30", "2022-02-14T12:00"), ("2022-03-05", None))
    await life.runs("across", "2022-03-30T10:00", "2022-04-12T10:00:01")
    await life.month("2022-03", "2022-04-01")
    return second


async def second_quarter(life: Life) -> InvoiceRecord:
    """A rate change in the middle of an instance, a void by a person in Stripe, credit notes, and a paid invoice."""
    await life.month("2022-04", "2022-05-01")
    await life.runs("may", "2022-05-03T01:02:03", "2022-05-20T04:05:06", "xl")
    await life.runs("may-2", "2022-05-03", "2022-05-04")
    await life.month("2022-05", "2022-06-01")
    may = await life.latest("2022-05")
    await life.system.stripe.v1.invoices.void_invoice_async(may.stripe_invoice_id)
    await life.system.until_state(may.key, InvoiceState.VOIDED)
    life.year.void("2022-05")
    await life.runs("may-late", "2022-05-28", "2022-05-29T12:00")
    await life.month("2022-05", "2022-06-01")

    again = await life.latest("2022-05")
    await life.credit(again, CreditOrder(CreditKind.INSTANCE, "it was down", instance_id="may-2"))
    await life.credit(again, CreditOrder(CreditKind.AMOUNT, "goodwill", amount=123))
    await life.agree()
    await life.runs("june", "2022-06-05", "2022-06-09T17:45")
    await life.month("2022-06", "2022-07-01")
    june = await life.latest("2022-06")
    await life.system.stripe.v1.invoices.pay_async(june.stripe_invoice_id, {"payment_method": "pm_card_visa"})
    return await life.system.until_state(june.key, InvoiceState.PAID)


async def disputed(life: Life, june: InvoiceRecord) -> None:
    """A dispute is opened and lost: it is recorded and changes no bill, but a credit of the paid invoice does."""
    opened: Any = await life.system.admin("disputes", {"invoice": june.stripe_invoice_id, "reason": "fraudulent"})

    async def status(wanted: str) -> DisputeRecord:
        async def there() -> DisputeRecord | None:
            found = (await disputes.of_invoices(life.system.db, [june.id])).get(june.id, [])
            return found[0] if found and found[0].status == wanted else None

        return await until(there)

    assert (await status("needs_response")).amount == june.amount
    await life.system.admin(f"disputes/{opened['id']}/close", {"status": "lost"})
    assert (await status("lost")).closed_at is not None
    await life.credit(june, CreditOrder(CreditKind.LINE, "settled with them", line_no=1))
    await life.agree()


async def silence(life: Life, customer: str, second: str) -> str:
    """Two months without webhooks: a cancellation, a return and a void are found by polling and the catch-up."""
    await life.catch_up()
    await unheard(life.system)
    await life.runs("silent", "2022-07-10", "2022-08-20", "xl")
    await life.they.clock("2022-07-25")
    await life.catch_up()
    await life.they.clock("2022-08-04")
    await life.they.cancel(second)
    life.year.cancel("2022-08-04")
    await life.system.run_period("2022-07")
    life.year.settle("2022-07", "2022-08-01")
    await life.catch_up()
    await life.cancelled(second, "2022-08-04")
    await life.they.clock("2022-08-11")
    third = await life.they.subscribe(customer)
    life.year.subscribe("2022-08-11")
    july = await life.latest("2022-07")
    await life.system.stripe.v1.invoices.void_invoice_async(july.stripe_invoice_id)
    await life.catch_up()
    await life.system.until_state(july.key, InvoiceState.VOIDED)
    life.year.void("2022-07")
    await life.they.until_windows(
        TEAM,
        ("2022-01-10T09:30", "2022-02-14T12:00"),
        ("2022-03-05", "2022-08-04"),
        ("2022-08-11", None),
    )
    await life.month("2022-08", "2022-09-01")
    await life.catch_up()
    await life.system.admin("webhook_faults", method="DELETE")
    return third


async def test_a_year_of_one_accounts_life_comes_to_the_cent(life: Life) -> None:
    customer = await life.they.customer(attribution_id=TEAM)
    second = await first_quarter(life, customer)
    june = await second_quarter(life)
    await disputed(life, june)
    third = await silence(life, customer, second)

    # Late usage, and an invoice that a person voids: its usage is on the next one.
    await life.runs("late", "2022-06-20T00:00:01", "2022-06-21T00:00:02")
    await life.runs("september", "2022-09-01", "2022-09-02")
    await life.month("2022-09", "2022-10-01")
    september = await life.latest("2022-09")
    decision = VoidInvoice(by="ann", reason="not yet", write_off=False)
    await decide(life.system.client, september.key, Updates.VOID, decision)
    await life.system.until_state(september.key, InvoiceState.VOIDED)
    life.year.void("2022-09")
    await life.runs("october", "2022-10-30", "2022-11-02", "xl")
    await life.month("2022-10", "2022-11-01")
    await life.month("2022-11", "2022-12-01")

    # Canceled at the period's end: Stripe ends it in the following year.
    await life.runs("december", "2022-12-30", "2023-01-03")
    await life.they.clock("2022-12-15")
    await life.system.stripe.v1.subscriptions.update_async(third, {"cancel_at_period_end": True})
    ends = (await life.system.stripe.v1.subscriptions.retrieve_async(third)).cancel_at
    await life.month("2022-12", "2023-01-01")
    await life.they.clock("2023-01-20")
    assert ends is not None
    life.year.cancel("2023-01-11")
    await life.cancelled(third, "2023-01-11")
    assert len(life.year.bills) >= 10
    await life.system.admin("settings", {"subscription_invoices": True})
    fourth = await trial_and_cycles(life, customer)
    await held(life, fourth)
    await another_currency(life, customer, fourth)
    assert min(life.year.total("usd"), life.year.total("eur")) > 0
