"""Every step in which a worker can be killed times out by its heartbeats, not by its whole duration."""

from __future__ import annotations

from contracts import retries, workflow_ids
from tests.support.months import MAY
from tests.support.system import System


async def test_every_activity_is_given_away_soon_after_its_worker_was_killed(system: System) -> None:
    await system.add_account("team:beat", ("2022-05-01", None))
    await system.add_instance("beat-1", "team:beat", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)

    scheduled = []
    period = workflow_ids.billing_period(MAY)
    for workflow_id in (period, f"{period}/batch/0001", workflow_ids.invoice(f"{MAY}/team:beat/period")):
        history = await system.client.get_workflow_handle(workflow_id).fetch_history()
        found = [event.activity_task_scheduled_event_attributes for event in history.events]
        scheduled += [each for each in found if each.activity_id]
    assert {each.task_queue.name for each in scheduled} == {"billing", "stripe"}
    assert {each.heartbeat_timeout.ToTimedelta() for each in scheduled} == {retries.HEARTBEAT}
