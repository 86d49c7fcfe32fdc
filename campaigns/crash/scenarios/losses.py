"""Audits of books that agree and books that do not; and the adoption of invoices that Postgres has lost."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text

from billing.audit.checks import STRIPE_CHECKS, Check
from billing.invoice.key import InvoiceKey
from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage
from temporal.recovery import adopt_invoices
from temporal.start import retry_invoice
from tests.e2e import audits
from tests.support.rest import unheard
from tests.support.system import System, at

_EVERYTHING = at("2020-01-01")


async def audited(stage: Stage) -> None:
    """A void, a deletion and a credit note without webhooks, and a lost report: four findings."""
    system = stage.system
    they = await audits.bill(system, "voided", "credited", "lost", "fine", waiting=("deleted",))
    await unheard(system)
    await system.stripe.v1.invoices.void_invoice_async(they["voided"].stripe_invoice_id)
    await system.stripe.v1.credit_notes.create_async({"invoice": they["credited"].stripe_invoice_id, "amount": 100})
    await system.stripe.v1.invoices.delete_async(they["deleted"].stripe_invoice_id)
    lost = they["lost"].report_id
    assert lost is not None
    kept = (_reports(system) / lost).rename(_reports(system) / "kept")
    found = await audits.audited(system)
    assert len(found.findings) == 4, found.findings
    kept.rename(_reports(system) / lost)
    await system.admin("webhook_faults", method="DELETE")
    # The period's summary is written when its last draft is gone, so that it includes the void.
    await retry_invoice(system.client, InvoiceKey.parse(they["voided"].key))
    await system.until_state(they["voided"].key, InvoiceState.VOIDED)
    await audits.catch_up(system)
    await system.until_state(they["deleted"].key, InvoiceState.DELETED)
    await stage.rest()


async def unaudited(stage: Stage) -> None:
    """Stripe refuses to list one account's invoices and credit notes, so those checks are not made."""
    system = stage.system
    await system.add_account("team:nobody", ("2022-05-01", None), customer="cus_nobody")
    found = await audits.audited(system, attribution_id="team:nobody")
    assert set(found.outcome.not_made) == {*STRIPE_CHECKS, Check.CREDIT_NOTES}, found.outcome
    await stage.rest()


async def adopted(stage: Stage) -> None:
    """Postgres has lost an invoice that Stripe has; it is adopted."""
    system = stage.system
    await audits.bill(system, "restored")
    await _lose(stage)
    await adopt_invoices(system.client, _EVERYTHING)
    assert len(await system.invoices()) == 1
    await stage.rest()


async def claimed_again(stage: Stage) -> None:
    """Postgres has lost an invoice, and the period is run again with more usage: Stripe's invoice counts."""
    system = stage.system
    await audits.bill(system, "again")
    await _lose(stage)
    await system.add_instance("again-2", "team:again", "2022-05-10T10:00", "2022-05-11T10:00", "xl")
    await system.run_period()
    await system.until_state("2022-05/team:again/period", InvoiceState.BILLED)
    await stage.rest()


def _reports(system: System) -> Path:
    return Path(urlsplit(system.settings.need("report_store_url")).path)


_OF_INVOICES = (
    *("period_summary", "claim", "invoice_month", "invoice_line", "invoice_day", "period_day", "period_day_pending"),
    *("hosted_invoice", "invoice"),
)


async def _lose(stage: Stage) -> None:
    """Forget all invoices, as after a restore of an older backup."""
    await stage.rest()
    async with stage.system.db.transaction() as connection:
        for table in _OF_INVOICES:
            await connection.execute(text(f"DELETE FROM {table}"))


_QUICK = {"audit_settle_seconds": "0", "events_settle_seconds": "0"}
SCENARIOS = (
    Scenario("audited", audited, _QUICK),
    Scenario("unaudited", unaudited, _QUICK),
    Scenario("adopted", adopted),
    Scenario("claimed-again", claimed_again),
)
