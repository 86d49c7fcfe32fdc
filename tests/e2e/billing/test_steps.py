"""Currencies that Stripe charges in coarser amounts than it writes them, through Stripe and back."""

from __future__ import annotations

from pathlib import Path

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.states import InvoiceState
from tests.e2e.audits import audited
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


async def test_whole_kronur_and_dinars_that_end_in_zero_are_charged_and_credited(system: System) -> None:
    await system.stop()
    Path(system.settings.rate_card).write_text(RATES)
    await system.start()
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
