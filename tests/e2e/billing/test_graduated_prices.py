"""Included credits, tiers and more than 250 lines, through Stripe and back."""

from __future__ import annotations

from pathlib import Path

from billing.invoice.states import InvoiceState
from billing.pricing.rating import LineKind
from tests.support.months import MAY
from tests.support.system import System

GRADUATED = """
[[version]]
effective_from = 2020-01-01T00:00:00Z
included_credits = "100"
credits_per_minute = { default = "0.1666666667" }
tiers.usd = [{ up_to = "100", price = "0.036" }, { price = "0.030" }]
tiers.jpy = [{ up_to = "100", price = "5" }, { price = "4" }]
tiers.kwd = [{ up_to = "100", price = "0.0111" }, { price = "0.01" }]
"""


async def with_rates(system: System, rates: str) -> None:
    await system.stop()
    Path(system.settings.rate_card).write_text(rates)
    await system.start()


async def test_a_graduated_month_is_billed_and_the_books_agree(system: System) -> None:
    await with_rates(system, GRADUATED)
    for currency in ("usd", "jpy", "kwd"):
        await system.add_account(f"team:{currency}", ("2022-05-01", None), currency=currency)
        await system.add_instance(currency, f"team:{currency}", "2022-05-03T00:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    # 34 h are 340.00 credits: 100 included, 100 in the first tier, 140.00 in the second.
    amounts = {}
    for invoice in await system.invoices():
        assert invoice.state is InvoiceState.BILLED
        assert [line.rated.kind for line in invoice.lines] == [LineKind.USAGE, LineKind.TIERS]
        stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
        assert stripe.subtotal == invoice.amount
        assert stripe.lines.data[-1].amount == invoice.lines[-1].rated.amount < 0
        amounts[invoice.currency] = invoice.amount
    assert amounts == {"usd": 360 + 420, "jpy": 500 + 560, "kwd": 1110 + 1400}


async def test_a_description_of_many_tiers_is_cut_in_stripe_and_whole_in_the_report(system: System) -> None:
    tiers = "".join(f'{{ up_to = "{number}", price = "0.{number:04d}" }}, ' for number in range(1, 60))
    await with_rates(system, GRADUATED.replace("tiers.usd = [", f"tiers.usd = [{tiers}"))
    await system.add_account("team:tiers", ("2022-05-01", None))
    await system.add_instance("tiers-1", "team:tiers", "2022-05-03T00:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    (invoice,) = await system.invoices()
    assert invoice.state is InvoiceState.BILLED
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (len(stripe.lines.data[-1].description), stripe.lines.data[-1].description[-1]) == (500, "…")
    assert invoice.report_id is not None
    header, _ = await system.reports.read_claims(invoice.report_id)
    assert len(header.lines[-1].rated.tiers) > 50


async def test_300_classes_are_folded(system: System) -> None:
    await system.add_account("team:many", ("2022-05-01", None))
    for number in range(300):
        start, stop = "2022-05-03T00:00", f"2022-05-03T{1 + number % 20:02d}:00"
        await system.add_instance(f"many-{number}", "team:many", start, stop, f"class-{number}")
    await system.run_period(MAY)
    (invoice,) = await system.invoices()
    assert (invoice.state, len(invoice.lines)) == (InvoiceState.BILLED, 300)
    page = await system.stripe.v1.invoices.line_items.list_async(invoice.stripe_invoice_id, {"limit": 100})
    lines = [line async for line in page.auto_paging_iter()]
    assert len(lines) == 250
    assert sum(line.amount for line in lines) == invoice.amount
    assert invoice.report_id is not None
    header, claims = await system.reports.read_claims(invoice.report_id)
    assert len(header.lines) == len([claim async for claim in claims]) == 300
