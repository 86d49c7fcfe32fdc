"""What happens to invoices and periods is in the log: once, whatever is replayed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from billing.invoice.policy import Finalization
from contracts import workflow_ids
from contracts.names import Signals
from tests.e2e.decisions import approve, drafted, void
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day


@pytest.fixture(autouse=True)
def logging_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "perdure")


def events(caplog: pytest.LogCaptureFixture, topic: str, *fields: str) -> list[tuple[Any, ...]]:
    """Return the level and text of each event of a logger, with these of its fields."""
    return [
        (record.levelname, record.message, *(vars(record).get(name) for name in fields))
        for record in caplog.records
        if record.name == f"perdure.{topic}"
    ]


async def until_said(caplog: pytest.LogCaptureFixture, topic: str, count: int) -> None:
    async def said() -> bool:
        return len(events(caplog, topic)) >= count

    await until(said)


async def test_an_invoice_that_is_held_approved_and_voided(system: System, caplog: pytest.LogCaptureFixture) -> None:
    key = await one_day(system, "team:held", limit_amount=DAY_CENTS - 1)
    period = await system.start_period(MAY)
    await until_said(caplog, "invoices", 1)
    handle = system.client.get_workflow_handle(workflow_ids.invoice(key))
    await handle.signal(Signals.RETRY)  # only an approval releases it
    await system.stop("billing")
    await system.start("billing")  # replays
    await approve(system, key, DAY_CENTS)
    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    await void(system, key)
    await until_said(caplog, "invoices", 5)
    assert events(caplog, "invoices", "invoice", "amount", "by", "kind") == [
        ("WARNING", "invoice held", key, "8.64 USD", None, "limit"),
        ("INFO", "invoice approved", key, None, "ann", None),
        ("INFO", "invoice released", key, "8.64 USD", None, None),
        ("INFO", "void requested", key, None, "ann", None),
        ("INFO", "invoice voided", key, "8.64 USD", None, None),
    ]
    [started, settled] = events(caplog, "periods", "period", "account", "counts", "sums", "blocked_accounts")
    assert started == ("INFO", "period started", MAY, None, None, None, None)
    assert settled == ("INFO", "period settled", MAY, None, {"billed": 1}, {"billed": "8.64 USD"}, 0)
    held = next(record for record in caplog.records if record.message == "invoice held")
    assert vars(held)["temporal_workflow"]["workflow_id"] == workflow_ids.invoice(key)


async def test_a_draft_that_waits_for_its_approval(system: System, caplog: pytest.LogCaptureFixture) -> None:
    key = await one_day(system, "team:waits", finalization=Finalization.APPROVAL)
    period = await system.start_period(MAY)
    await drafted(system, key)
    await approve(system, key, DAY_CENTS)
    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    assert events(caplog, "invoices", "invoice") == [
        ("INFO", "invoice waits for approval", key),
        ("INFO", "invoice approved", key),
    ]


async def test_an_invoice_that_stripe_refuses(system: System, caplog: pytest.LogCaptureFixture) -> None:
    key = await one_day(system, "team:refused", customer="cus_unknown")
    await system.start_period(MAY)
    await until_said(caplog, "invoices", 1)
    [(level, event, invoice, reason)] = events(caplog, "invoices", "invoice", "reason")
    assert (level, event, invoice) == ("WARNING", "invoice blocked", key)
    assert "No such customer" in reason
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await until_said(caplog, "invoices", 3)
    assert [event for _, event in events(caplog, "invoices")] == [
        "invoice blocked",
        "invoice released",
        "invoice blocked",
    ]
