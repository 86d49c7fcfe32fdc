"""Temporal is away: the pages say so, and that nothing was done."""

from __future__ import annotations

import functools

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from devstack import ports
from settings import Settings
from starter.acting.awaiting import approve_each
from starter.cli.status.stored import waiting_terms
from starter.console.app import Console
from starter.console.services import ConsoleServices
from starter.http.server import serving
from storage.decisions.trail import list_decisions
from storage.invoices.awaiting import AwaitingInvoice
from storage.postgres.database import Database
from temporal.client import TemporalUnavailableError
from tests.console.acting.forms import Operator
from tests.console.serving import RunningConsole


async def test_without_temporal_the_pages_say_so(owner: Database, db: Database) -> None:
    settings = Settings()
    away = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    services = ConsoleServices(db, settings, functools.partial(waiting_terms, settings), away, "0.0.0")
    async with serving(Console(services).server(), ports.HOST, 0) as port:
        console = RunningConsole(f"http://{ports.HOST}:{port}", owner)
        async with console.signed_in(name="joe") as browser:
            operator = Operator(browser)
            _, form = await operator.open("/act/accept-warning?subject=i-1&kind=runs_long")
            seen, _ = await operator.send(form, reason="a database")
            assert seen.status == 503
            assert "Temporal cannot be reached: nothing was done" in seen.text
            shown = await browser.get("/schedules")
            assert (shown.status, "Temporal does not answer" in shown.text) == (503, True)
            assert (await browser.get("/act/pause?subject=billing-monthly")).status == 503
            assert (await browser.get("/decisions")).status == 200
    assert await list_decisions(owner, limit=9) == []


async def test_without_temporal_nothing_of_a_period_is_approved() -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    waiting = [_waiting(f"2022-05/team:{name}/period") for name in ("a", "b", "c")]
    with pytest.raises(TemporalUnavailableError):
        await approve_each(away, waiting, "jane", "checked")


def _waiting(key: str) -> AwaitingInvoice:
    return AwaitingInvoice(key, key.split("/")[1], "usd", 1728, None, None)
