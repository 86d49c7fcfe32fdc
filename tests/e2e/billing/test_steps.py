"""Currencies that Stripe charges in coarser amounts than it writes them, through Stripe and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import Signals
from tests.e2e.audits import alter, audited, made_in_stripe
from tests.e2e.credits import credit
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System

RATES = """
[[version]]
effective_from = 2020-01-01T00:00:00Z
credits_per_minute = { default = "1", xl = "1.5" }
price_per_credit = { isk = "37", ugx = "37", kwd = "0.0123" }
"""


@pytest.fixture
async def product(system: System) -> System:
    """The product with a rate card in currencies of coarser amounts."""
    await system.stop()
    Path(system.settings.rate_card).write_text(RATES)
    await system.start()
    return system


async def test_whole_kronur_and_dinars_that_end_in_zero_are_charged_and_credited(product: System) -> None:
    system = product
    for currency in ("isk", "ugx", "kwd"):
        team = f"team:{currency}"
        await system.add_account(team, ("2022-05-01", None), currency=currency)
        for name in ("default", "xl"):
            await system.add_instance(f"{currency}-{name}", team, "2022-05-03T09:00", "2022-05-03T10:41:30", name)
    await system.run_period(MAY)
    # 101.5 credits and 152.25: 3,755.50 and 5,633.25 kronur, 1.24845 and 1.872675 dinars.
    amounts = {}
    for invoice in await system.invoices():
        assert invoice.state is InvoiceState.BILLED
        stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
        assert stripe.subtotal == invoice.amount
        amounts[invoice.currency] = sorted(line.amount for line in stripe.lines.data)
    assert amounts == {"isk": [375600, 563300], "ugx": [375600, 563300], "kwd": [1250, 1870]}
    for invoice in await system.invoices():
        for order, expected in (
            (CreditOrder(CreditKind.INSTANCE, "outage", instance_id=f"{invoice.currency}-default"), 0),
            (CreditOrder(CreditKind.LINE, "outage", line_no=2), 1),
        ):
            note = await credit(system, invoice, order)
            assert (note.state, note.amount) == (CreditNoteState.ISSUED, amounts[invoice.currency][expected])
    await until_rested(system)
    assert (await audited(system, period=MAY)).findings == []


async def test_a_draft_whose_lines_stripe_refused_gets_rounded_ones(product: System) -> None:
    """As a release without steps left it: claimed with a fraction of ISK, and an empty draft in Stripe."""
    system, key = product, f"{MAY}/team:fraction/period"
    await system.add_account("team:fraction", ("2022-05-01", None), currency="isk", customer="cus_nobody")
    await system.add_instance("fraction-1", "team:fraction", "2022-05-03T09:00", "2022-05-03T10:41:30")
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:fraction"}})
    draft = await system.stripe.v1.invoices.create_async(
        {"customer": customer.id, "currency": "isk", "auto_advance": False, "metadata": made_in_stripe(blocked)}
    )
    await system.add_account("team:fraction", currency="isk", customer=customer.id)
    await alter(system, "UPDATE invoice_line SET step = 1, amount = 375550 WHERE invoice_id = :id", id=blocked.id)
    statement = "UPDATE invoice SET amount = 375550, stripe_invoice_id = :of, stripe_customer_id = :who WHERE id = :id"
    await alter(system, statement, of=draft.id, who=customer.id, id=blocked.id)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    billed = await system.until_state(key, InvoiceState.BILLED)
    assert (billed.amount, billed.stripe_invoice_id, billed.revision) == (375600, draft.id, 2)
    await until_rested(system)
    assert (await audited(system, period=MAY)).findings == []
