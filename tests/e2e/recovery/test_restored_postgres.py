"""Postgres was restored to an earlier point and Stripe has moved on: nothing is billed twice, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from activities.postgres.adopter import Adopter
from activities.rate_cards import RateCards
from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from contracts.messages.recovery import AdoptReport
from contracts.names import STRIPE_QUEUE
from storage.accounts import policies
from tests.e2e.charged import draft_of_amount, live
from tests.support.losing import Backup, lose_temporal, perdure, recover
from tests.support.months import JUNE, MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day

pytestmark = pytest.mark.waits


@pytest.mark.parametrize("temporal", ["kept", "wiped"])
async def test_the_same_invoice_is_adopted_though_more_usage_has_come(
    system: System, backup: Backup, temporal: str
) -> None:
    key = await one_day(system, f"team:{temporal}")
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    billed = await system.invoice(key)
    charged = await live(system)
    assert charged[key] == [(billed.stripe_invoice_id, DAY_CENTS)]

    await backup.restore()
    await system.add_instance(f"{temporal}-late", f"team:{temporal}", "2022-05-10T10:00", "2022-05-11T10:00")
    await (lose_temporal(system) if temporal == "wiped" else system.start())
    recovered = await perdure(system, "recover", "--restored-to", point.isoformat())
    assert (recovered.status, f"{key}: adopted from Stripe" in recovered.out) == (0, True), recovered
    await system.until_state(key, InvoiceState.BILLED)
    outcome = await system.run_period(MAY)

    again = await system.invoice(key)
    assert (again.stripe_invoice_id, again.report_id) == (billed.stripe_invoice_id, billed.report_id)
    assert [line.rated for line in again.lines] == [line.rated for line in billed.lines]
    assert await live(system) == charged
    assert outcome.progress.totals == {"billed": {"usd": DAY_CENTS}}
    june = await system.run_period(JUNE)
    assert june.progress.totals == {"billed": {"usd": DAY_CENTS}}, "the late usage is billed once, by June"


@pytest.mark.parametrize(
    "finalization", [pytest.param("at_once", marks=pytest.mark.history("claimed-anew")), "approval"]
)
async def test_nobody_recovers_and_the_period_is_run_with_more_usage(
    system: System, backup: Backup, finalization: str
) -> None:
    """The repeated claim is larger than Stripe's invoice: Stripe's counts, and the rest is billed later."""
    team = f"team:unrecovered-{finalization}"
    key = await one_day(system, team)
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization(finalization)))
    await backup.take()
    await system.start_period(MAY)
    waits = finalization == "approval"
    made = await system.until_state(key, InvoiceState.DRAFT if waits else InvoiceState.BILLED)
    charged = await live(system)

    await backup.restore()
    await system.add_instance(f"{team[5:]}-late", team, "2022-05-10T10:00", "2022-05-11T10:00", "xl")
    await lose_temporal(system)
    await system.start_period(MAY)
    again = await system.until_state(key, made.state)
    if waits:  # a waiting draft accepts late usage, by its own policy
        assert (again.amount, again.stripe_invoice_id) == (DAY_CENTS, made.stripe_invoice_id)
        await system.run_period_until_blocked(MAY)
        amended = await until(lambda: draft_of_amount(system, key, 3 * DAY_CENTS))
        assert await live(system) == {**charged, key: [(made.stripe_invoice_id, 3 * DAY_CENTS)]}
        assert amended.stripe_invoice_id == made.stripe_invoice_id
        return
    assert (again.stripe_invoice_id, again.amount) == (made.stripe_invoice_id, DAY_CENTS)
    assert await live(system) == charged
    june = await system.run_period(JUNE)
    assert june.progress.totals == {"billed": {"usd": 2 * DAY_CENTS}}


async def test_an_adoption_whose_answer_was_lost_is_made_again(system: System, backup: Backup) -> None:
    """The worker dies after it has adopted the invoice: its next attempt has the same result."""
    key = await one_day(system, "team:answerless")
    await backup.take()
    await system.run_period(MAY)
    billed = await system.invoice(key)
    assert billed.report_id is not None
    assert billed.stripe_invoice_id is not None

    await backup.restore()
    await system.add_instance("answerless-late", "team:answerless", "2022-05-10T10:00", "2022-05-11T10:00", "xl")
    await lose_temporal(system)
    await system.stop(STRIPE_QUEUE)
    await system.start_period(MAY)

    async def reported() -> bool:
        return bool(found := await system.invoices()) and found[0].report_id is not None

    await until(reported)
    adopter = Adopter(system.db, system.reports, RateCards(system.db, system.settings), system.settings)
    order = AdoptReport(
        invoice_key=key,
        report_id=billed.report_id,
        stripe_invoice_id=billed.stripe_invoice_id,
        stripe_customer_id=billed.stripe_customer_id,
        status="open",
    )
    assert (await adopter.adopt(order, its_own=True)).adopted
    await system.start(STRIPE_QUEUE)
    again = await system.until_state(key, InvoiceState.BILLED)
    assert (again.stripe_invoice_id, again.amount) == (billed.stripe_invoice_id, DAY_CENTS)


@pytest.mark.history("adopted")
async def test_a_voided_invoice_and_its_successor_are_adopted(system: System, backup: Backup) -> None:
    key = await one_day(system, "team:succeeded")
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    first = await system.invoice(key)
    await system.stripe.v1.invoices.void_invoice_async(first.stripe_invoice_id)
    await system.until_state(key, InvoiceState.VOIDED)
    await system.run_period(MAY)
    second = await system.invoice(f"{key}/2")
    charged = await live(system)

    await backup.restore()
    await lose_temporal(system)
    adopted = await recover(system, point)
    assert adopted is not None
    assert (adopted.adopted_count, adopted.faults) == (2, [])
    await system.until_state(f"{key}/2", InvoiceState.BILLED)
    assert (await system.invoice(key)).state is InvoiceState.VOIDED
    await system.run_period(MAY)
    assert await live(system) == charged == {**charged, f"{key}/2": [(second.stripe_invoice_id, DAY_CENTS)]}

    again = await recover(system, point)
    assert again is not None
    assert again.adopted_count == 0
    await system.stripe.v1.invoices.void_invoice_async(second.stripe_invoice_id)
    await system.until_state(f"{key}/2", InvoiceState.VOIDED)
    await system.run_period(MAY)
    assert (await system.invoice(f"{key}/3")).amount == DAY_CENTS


async def test_without_its_report_an_unknown_invoice_stops_the_recovery(
    system: System, backup: Backup, tmp_path: Path
) -> None:
    key = await one_day(system, "team:without-report")
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    billed = await system.invoice(key)
    await until_rested(system)
    report = tmp_path / "reports" / str(billed.report_id)
    kept = report.read_bytes()
    report.unlink()

    await backup.restore()
    await lose_temporal(system)
    refused = await perdure(system, "recover", "--restored-to", point.isoformat())
    assert refused.status == 3
    assert f"{billed.stripe_invoice_id} is {key} in Stripe: report {billed.report_id} is missing" in refused.err
    assert "Nothing was started" in refused.err
    report.write_bytes(kept)
    adopted = await recover(system, point)
    assert adopted is not None
    assert adopted.adopted == [key]


async def test_months_with_included_credits_are_adopted_place_by_place(system: System, backup: Backup) -> None:
    """An invoice's use of a month's included credits is not in its report: it is computed again."""
    team = "team:included"
    key = await one_day(system, team)
    await policies.write_policy(system.db, team, AccountPolicy(included_credits=Decimal(100)))
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    billed, places = await system.invoice(key), await _places(system)
    assert (len(billed.lines), len(places)) == (2, 1)

    await backup.restore()
    await lose_temporal(system)
    await recover(system, point)
    again = await system.until_state(key, InvoiceState.BILLED)
    assert [(line.rated, line.carried_us) for line in again.lines] == [
        (line.rated, line.carried_us) for line in billed.lines
    ]
    assert await _places(system) == places


async def _places(system: System) -> list[Any]:
    async with system.db.transaction() as connection:
        found = await connection.execute(text("SELECT month, position, credits FROM invoice_month ORDER BY 1, 2"))
        return [tuple(row) for row in found]


async def test_what_only_looks_like_ours_stops_no_recovery(system: System, backup: Backup) -> None:
    key = await one_day(system, "team:other")
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    invoice = await system.invoice(key)
    await system.stripe.v1.invoices.create_async(
        {"customer": invoice.stripe_customer_id, "metadata": {"perdure_invoice": "foo", "report_id": "bar"}}
    )
    await backup.restore()
    await lose_temporal(system)
    adopted = await recover(system, point)
    assert adopted is not None
    assert (adopted.adopted_count, adopted.faults) == (1, [])
    await system.until_state(key, InvoiceState.BILLED)
