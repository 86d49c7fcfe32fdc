"""Postgres was restored to an earlier point, and Stripe has gone on: nothing is billed twice, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.invoice import InvoiceState
from tests.support.databases import Databases
from tests.support.losing import Backup, lose_temporal, perdure
from tests.support.system import System

MAY, JUNE = "2022-05", "2022-06"
DAY_CENTS = 864


@pytest.fixture
async def backup(system: System, databases: Databases) -> AsyncIterator[Backup]:
    taken = Backup(system, databases)
    yield taken
    await taken.drop()


async def one_day(system: System, team: str, start: str = "2022-05-03") -> str:
    """An account with a day of usage; its invoice's key to be."""
    await system.add_account(team, ("2022-05-01", None))
    await system.add_instance(f"{team.split(':')[1]}-1", team, f"{start}T10:00", f"{start[:-1]}4T10:00")
    return f"{MAY}/{team}/period"


async def live(system: System) -> dict[str, list[tuple[str, int]]]:
    """By key, what Stripe charges: (Stripe id, subtotal) of each invoice that is not void."""
    found: dict[str, list[tuple[str, int]]] = {}
    for invoice in await system.stripe_invoices():
        key = invoice["metadata"].get("perdure_invoice")
        if key and invoice["status"] != "void":
            found.setdefault(key, []).append((invoice["id"], invoice["subtotal"]))
    return found


@pytest.mark.parametrize("temporal", ["kept", "wiped"])
async def test_the_same_invoice_is_taken_over_though_more_usage_has_come(
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
    assert (recovered.status, f"{key}: taken over from Stripe" in recovered.out) == (0, True), recovered
    await system.until_state(key, InvoiceState.BILLED)
    outcome = await system.run_period(MAY)

    again = await system.invoice(key)
    assert (again.stripe_invoice_id, again.report_id) == (billed.stripe_invoice_id, billed.report_id)
    assert [line.rated for line in again.lines] == [line.rated for line in billed.lines]
    assert await live(system) == charged
    assert outcome.progress.totals == {"billed": {"usd": DAY_CENTS}}
    june = await system.run_period(JUNE)
    assert june.progress.totals == {"billed": {"usd": DAY_CENTS}}, "the late usage is billed once, by June"
