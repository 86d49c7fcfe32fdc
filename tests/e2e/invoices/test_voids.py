"""The usage of a voided invoice is billable again, unless it is written off; a paid invoice is not voided."""

from __future__ import annotations

import pytest

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from temporal.decisions import DecisionError
from tests.e2e.decisions import void
from tests.support.months import JUNE, MAY
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day


@pytest.mark.history("voided-by-command")
async def test_voiding_makes_the_usage_billable_again(system: System) -> None:
    key = await one_day(system, "team:voided")
    await system.run_period(MAY)
    await void(system, key)
    voided = await system.until_state(key, InvoiceState.VOIDED)
    assert (voided.void_requested_by, voided.void_reason) == ("ann", "a test")
    await system.run_period(MAY)
    assert (await system.invoice(f"{key}/2")).amount == DAY_CENTS


async def test_a_write_off_is_never_billed_again(system: System) -> None:
    key = await one_day(system, "team:off")
    await system.run_period(MAY)
    await void(system, key, write_off=True)
    assert (await system.until_state(key, InvoiceState.VOIDED)).written_off
    await system.run_period(MAY)
    await system.run_period(JUNE)
    assert [i.key for i in await system.invoices()] == [key]


async def test_a_voided_invoice_is_written_off_afterwards(system: System) -> None:
    key = await one_day(system, "team:later")
    await system.run_period(MAY)
    await void(system, key)
    await system.until_state(key, InvoiceState.VOIDED)
    with pytest.raises(DecisionError, match="voided already, and its usage is billable again"):
        await void(system, key)
    await void(system, key, write_off=True)
    await system.run_period(JUNE)
    assert [i.key for i in await system.invoices()] == [key]


async def test_a_paid_invoice_is_not_voided(system: System) -> None:
    key = await one_day(system, "team:paid")
    await system.run_period(MAY)
    invoice = await system.invoice(key)
    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})
    await system.until_state(key, InvoiceState.PAID)
    with pytest.raises(DecisionError, match="is paid: `perdure invoices credit` gives money back"):
        await void(system, key)


async def test_a_payment_that_fails_is_kept(system: System) -> None:
    key = await one_day(system, "team:broke")
    await system.run_period(MAY)
    invoice = await system.invoice(key)
    with pytest.raises(Exception, match="declined"):
        await system.stripe.v1.invoices.pay_async(
            invoice.stripe_invoice_id, {"payment_method": "pm_card_chargeDeclined"}
        )

    async def failed() -> InvoiceRecord | None:
        found = await system.invoice(key)
        return found if found.payment_failed_at else None

    assert (await until(failed)).payment_attempts >= 1


async def test_an_invoice_whose_customer_stripe_does_not_know_is_voided(system: System) -> None:
    key = await one_day(system, "team:typo", "cus_typo")
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert "No such customer" in (blocked.blocked_reason or "")
    await void(system, key)
    await system.until_state(key, InvoiceState.DELETED)
