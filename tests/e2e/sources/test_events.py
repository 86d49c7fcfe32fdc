"""A run bills what the API accepted before it."""

from __future__ import annotations

import asyncio

import pytest

from storage.arrivals.events import accept
from storage.arrivals.pending import last_pending
from tests.api.sending import event
from tests.arrivals.product import may
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits


async def test_a_period_bills_what_the_api_accepted_before_it(system: System) -> None:
    await system.add_account("team:events", ("2022-05-01", None))
    await accept(
        system.db,
        [
            event("started", may(3), "e-1", attribution_id="team:events"),
            event("stopped", may(5), "e-1"),
        ],
    )
    handle = await system.start_period(MAY)  # before anybody can fold
    await system.start("sources")
    result = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert result.progress.counts == {"billed": 1}
    assert (await system.invoice(f"{MAY}/team:events/period")).amount == 1728  # 2 days
    assert await last_pending(system.db) is None
