"""What a person asks of the billing worker while none runs: refused at once, or kept until one does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.deciding import ChangePolicy, RecordDecisions
from contracts.names import BILLING_QUEUE
from storage.decisions.trail import list_decisions
from temporal import asking
from temporal.decisions import UnansweredDecisionError
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits


async def test_a_request_without_a_worker_is_not_done_and_the_trail_is_kept_for_one(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_NOW", replace(asking._NOW, answered_within=timedelta(seconds=1)))
    monkeypatch.setattr(asking, "_PATIENCE_SECONDS", 0.5)
    await system.add_account("team:a", ("2022-05-01", None))
    await system.stop(BILLING_QUEUE)
    order = ChangePolicy(attribution_id="team:a", changes={"finalization": "approval"}, by="ann")
    with pytest.raises(UnansweredDecisionError, match="nothing was done: start `perdure worker`"):
        await asking.change_policy(system.client, order)
    decided = RecordDecisions(request="r", kind="retry", subjects=["x"], by="ann")
    for _ in range(2):
        await asking.record_decisions(system.client, decided)
    assert await list_decisions(system.db, limit=9) == []

    await system.start(BILLING_QUEUE)

    async def recorded() -> bool:
        return bool(await list_decisions(system.db, limit=9))

    await until(recorded)
    assert await asking.change_policy(system.client, order)
    assert [each.kind for each in await list_decisions(system.db, limit=9)] == ["policy", "retry"]
