"""What a correction charges in addition comes to Stripe with the account's next invoice, once, and all books agree."""

from __future__ import annotations

from typing import Any

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.accounts import policies
from tests.e2e.audits import audited
from tests.e2e.decisions import approve, void
from tests.storage.adjusting import adjustments, owe
from tests.support.months import JUNE, MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day

S = InvoiceState


async def in_stripe(system: System, key: str) -> list[tuple[str, int]]:
    """Return descriptions and amounts of an invoice's lines in Stripe."""
    record = await system.invoice(key)
    found: Any = await system.stripe.v1.invoices.retrieve_async(record.stripe_invoice_id)
    return [(line.description.partition(": ")[0], line.amount) for line in found.lines.data]


async def owing(system: System, team: str) -> str:
    """Bill May, let a correction of it charge 7.00, and let an instance run in June. Return May's key."""
    key = await one_day(system, team)
    await system.run_period(MAY)
    await system.until_state(key, S.BILLED)
    assert await owe(system.db, key, 700) == f"{key}/correction/1"
    await system.add_instance("owes-june", team, "2022-06-03T10:00", "2022-06-04T10:00")
    return key


async def test_the_next_invoice_charges_it_and_the_one_after_a_void_again(system: System) -> None:
    corrected = await owing(system, "team:owes")
    june = f"{JUNE}/team:owes/period"
    await system.run_period(JUNE)
    assert (await system.until_state(june, S.BILLED)).amount == DAY_CENTS + 700
    expected = [("default", DAY_CENTS), (f"Correction of invoice {corrected}", 700)]
    assert await in_stripe(system, june) == expected
    await until_rested(system)
    assert (await audited(system)).found == set()

    await void(system, june)
    await system.until_state(june, S.VOIDED)
    assert await adjustments(system.db) == [(f"{corrected}/correction/1", 700, "waiting", None)]
    await system.run_period(JUNE)
    again = await system.until_state(f"{june}/2", S.BILLED)
    assert await in_stripe(system, again.key) == expected
    assert await adjustments(system.db) == [(f"{corrected}/correction/1", 700, "charged", again.key)]
    await until_rested(system)
    assert (await audited(system)).found == set()


async def test_an_account_without_usage_gets_an_invoice_for_it_alone(system: System) -> None:
    corrected = await one_day(system, "team:gone")
    await system.run_period(MAY)
    await system.until_state(corrected, S.BILLED)
    await owe(system.db, corrected, 700)
    await system.run_period(JUNE)
    june = await system.until_state(f"{JUNE}/team:gone/period", S.BILLED)
    assert await in_stripe(system, june.key) == [(f"Correction of invoice {corrected}", 700)]
    await until_rested(system)
    assert (await audited(system)).found == set()


async def test_a_draft_that_waits_takes_what_is_recorded_meanwhile(system: System) -> None:
    """With the draft in Stripe: its lines are replaced there."""
    corrected = await one_day(system, "team:waits")
    await system.run_period(MAY)
    await system.until_state(corrected, S.BILLED)
    await system.add_instance("waits-june", "team:waits", "2022-06-03T10:00", "2022-06-04T10:00")
    await policies.write_policy(system.db, "team:waits", AccountPolicy(finalization=Finalization.APPROVAL))
    june = f"{JUNE}/team:waits/period"
    await system.run_period_until_blocked(JUNE)
    await system.until_state(june, S.DRAFT)
    await owe(system.db, corrected, 700)
    await system.run_period_until_blocked(JUNE)

    async def amended() -> InvoiceRecord | None:
        record = await system.invoice(june)
        return record if record.revision == 2 and record.state is S.DRAFT else None

    await until(amended)
    await approve(system, june, DAY_CENTS + 700)
    await system.until_state(june, S.BILLED)
    assert await in_stripe(system, june) == [("default", DAY_CENTS), (f"Correction of invoice {corrected}", 700)]
    await until_rested(system)
    assert (await audited(system)).found == set()
