"""The names that the workers register."""

from __future__ import annotations

from collections import Counter

from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE, Activities, Workflows
from tests.support.system import System
from worker import SANDBOX, billing_worker, sources_worker, stripe_worker


async def test_every_name_is_registered_on_exactly_one_queue(system: System) -> None:
    await system.stop()
    activities: Counter[str] = Counter()
    workflows: Counter[str] = Counter()
    makers = {BILLING_QUEUE: billing_worker, SOURCES_QUEUE: sources_worker, STRIPE_QUEUE: stripe_worker}
    for queue, make in makers.items():
        async with make(system.client, system.settings_of(queue)) as worker, worker:
            config = worker.config()
            assert not config["workflows"] or config["workflow_runner"] is SANDBOX  # in tests
            activities.update(getattr(each, "__temporal_activity_definition").name for each in config["activities"])
            workflows.update(getattr(each, "__temporal_workflow_definition").name for each in config["workflows"])
    for registered, names in ((activities, Activities), (workflows, Workflows)):
        assert registered == Counter(value for name, value in vars(names).items() if name.isupper())
