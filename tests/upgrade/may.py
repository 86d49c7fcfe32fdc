"""The May that a released version bills: an invoice, an account or an instance in every state worth keeping."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.policy import AccountPolicy, BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.periods import PeriodInput
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Workflows
from storage.accounts import policies
from storage.invoices import invoices
from tests.e2e.audits import audited
from tests.e2e.credits import credit
from tests.e2e.decisions import void
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until

S = InvoiceState

RATES = """
[[version]]
effective_from = 2020-01-01T00:00:00Z
credits_per_minute = { default = "0.1666666667", xl = "0.3333333333" }
tiers.usd = [{ up_to = "100", price = "0.036" }, { price = "0.030" }]
tiers.kwd = [{ up_to = "100", price = "0.0111" }, { price = "0.01" }]
tiers.isk = [{ up_to = "100", price = "4.91" }, { price = "4.517" }]
minimum_charge = { usd = "0.50" }

[[version]]
effective_from = 2022-05-15T00:00:00Z
credits_per_minute = { default = "0.2", xl = "0.4" }
tiers.usd = [{ up_to = "100", price = "0.036" }, { price = "0.030" }]
tiers.kwd = [{ up_to = "100", price = "0.0111" }, { price = "0.01" }]
tiers.isk = [{ up_to = "100", price = "4.91" }, { price = "4.517" }]
minimum_charge = { usd = "0.50" }
"""
"""The rate card of May and June. It has no price in EUR."""
OPTIONS: dict[str, Any] = {"audit_settle_seconds": 0.0, "events_settle_seconds": 0.0, "audit_stuck_after": "36500d"}
"""The product's settings: an audit includes what is new, and whatever waits since the recording is not stuck."""


def key_of(name: str) -> str:
    return f"{MAY}/team:{name}/period"


LIMITED, OPEN = key_of("limited"), key_of("open")
"""The invoices in USD that May leaves unfinished: blocked by its account's limit, and `claimed`."""
HELD, REFUSED, UNSENT = key_of("krona-held"), key_of("dinar-refused"), (key_of("krona-open"), key_of("dinar-open"))
"""Those in ISK and KWD: blocked by its account's limit, blocked since Stripe lacks its customer, `claimed`.

Some of their amounts no card can be charged: fractions of ISK, and a last digit of KWD other than 0.
"""


async def bill_may(system: System) -> None:
    """Bill May, audit it, and then claim the usage of one more account whose invoice Stripe does not get."""
    await _fill(system)
    await system.run_period_until_blocked(MAY)
    for name in ("tiers", "dinar", "krona", "voided", "written-off", "credited", "paid", "carried", "running"):
        await system.until_state(key_of(name), S.BILLED)
    for key, kind in ((LIMITED, BlockedKind.LIMIT), (HELD, BlockedKind.LIMIT), (REFUSED, BlockedKind.ERROR)):
        assert (await system.until_state(key, S.BLOCKED)).blocked_kind is kind
    await _decide(system)
    await until_rested(system)
    assert (await audited(system, period=MAY)).findings == []
    await _leave_open(system)


async def _fill(system: System) -> None:
    """Import accounts and usage. Each account but two has a day, or half of one, of its own."""
    for name in ("tiers", "voided", "written-off", "credited", "paid", "running", "limited", "small"):
        await system.add_account(f"team:{name}", ("2022-05-01", None))
    await system.add_account("team:dinar", ("2022-05-01", None), currency="kwd")
    await system.add_account("team:dinar-refused", ("2022-05-01", None), currency="kwd", customer="cus_nobody")
    for name in ("krona", "krona-held"):
        await system.add_account(f"team:{name}", ("2022-05-01", None), currency="isk")
    await system.add_account("team:carried", ("2022-04-01", None))
    await system.add_account("team:unpriced", ("2022-05-01", None), currency="eur")
    for name in ("limited", "krona-held"):
        await policies.write_policy(system.db, f"team:{name}", AccountPolicy(limit_amount=1))
    await policies.write_policy(system.db, "team:tiers", AccountPolicy(included_credits=Decimal(50)))
    for name in ("voided", "written-off", "credited", "paid", "limited", "unpriced", "carried"):
        await system.add_instance(f"{name}-1", f"team:{name}", "2022-05-03T10:00", "2022-05-04T10:00")
    for name in ("krona", "krona-held", "dinar", "dinar-refused"):
        await system.add_instance(f"{name}-1", f"team:{name}", "2022-05-03T10:00", "2022-05-04T10:33")
    for name in ("tiers", "dinar", "credited"):  # over both versions of the card, in two classes
        await system.add_instance(f"{name}-long", f"team:{name}", "2022-05-14T10:00", "2022-05-16T00:00:00.000001")
        await system.add_instance(f"{name}-xl", f"team:{name}", "2022-05-20T10:00", "2022-05-20T17:30", "xl")
    await system.add_instance("carried-april", "team:carried", "2022-04-29T12:00", "2022-04-30T00:00")
    await system.add_instance("running-1", "team:running", "2022-05-31T12:00", None)
    await system.add_instance("small-1", "team:small", "2022-05-31T10:00", "2022-05-31T11:00")
    await system.add_instance("orphan", None, "2022-05-03T10:00", "2022-05-03T20:00")
    await system.add_instance("stranger", "team:nobody", "2022-05-03T10:00", "2022-05-03T20:00")


async def _decide(system: System) -> None:
    """Void two invoices, of which one is billed again; credit one; have one paid."""
    await void(system, key_of("voided"))
    await void(system, key_of("written-off"), write_off=True)
    for name in ("voided", "written-off"):
        await system.until_state(key_of(name), S.VOIDED)
    await system.start_period(MAY)
    await system.until_state(f"{key_of('voided')}/2", S.BILLED)
    credited = await system.invoice(key_of("credited"))
    for order in (
        CreditOrder(CreditKind.AMOUNT, "outage", amount=100),
        CreditOrder(CreditKind.INSTANCE, "lost data", instance_id="credited-xl"),
    ):
        assert (await credit(system, credited, order)).state is CreditNoteState.ISSUED
    paid = await system.invoice(key_of("paid"))
    await system.stripe.v1.invoices.pay_async(paid.stripe_invoice_id, {"paid_out_of_band": True})
    await system.until_state(key_of("paid"), S.PAID)


async def _leave_open(system: System) -> None:
    """Claim accounts' usage and publish its reports while nobody serves Stripe's queue."""
    await system.stop(STRIPE_QUEUE)
    for name, currency, stop in (
        ("open", "usd", "10:00"),
        ("krona-open", "isk", "10:33"),
        ("dinar-open", "kwd", "10:33"),
    ):
        await system.add_account(f"team:{name}", ("2022-05-01", None), currency=currency)
        await system.add_instance(f"{name}-1", f"team:{name}", "2022-05-03T10:00", f"2022-05-04T{stop}")
        await system.client.start_workflow(
            Workflows.BILLING_PERIOD,
            PeriodInput(period=MAY, attribution_id=f"team:{name}"),
            id=workflow_ids.billing_period(MAY, f"team:{name}"),
            task_queue=BILLING_QUEUE,
        )
        await until(partial(_published, system, key_of(name)))


async def _published(system: System, key: str) -> InvoiceRecord | None:
    """Return the invoice if it is claimed and its report is published."""
    found = await invoices.load_invoice(system.db, key)
    return found if found and found.report_id and found.state is S.CLAIMED else None
