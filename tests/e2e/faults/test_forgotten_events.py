"""Events that Stripe has forgotten are reported by the time of the last read, also if Stripe refuses nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.e2e.catching_up import catch_up
from tests.e2e.subscribers import subscribing
from tests.support.rest import until_rested
from tests.support.system import System

pytestmark = pytest.mark.waits


async def test_a_cursor_that_stripe_still_knows_but_that_is_too_old(system: System) -> None:
    """Stripe lists what it still has after the event, and says nothing of the gap before that."""
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    await system.stop()
    await system.start()
    async with subscribing(system) as they:
        await they.clock("2022-05-01")
        await they.subscribe(await they.customer(attribution_id="team:gap"))
        await until_rested(system)
        assert (await catch_up(system)).notes == []
        async with system.db.transaction() as connection:
            await connection.execute(text("UPDATE stripe_event_cursor SET updated_at = now() - interval '31 days'"))
        [note] = (await catch_up(system)).notes
        assert note.startswith("The last read was more than 30 days ago")
        assert "events in between are gone" in note
        assert (await catch_up(system)).notes == []
