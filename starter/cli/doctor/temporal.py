"""Temporal: namespace, retention, search attributes, who serves the queues, schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from billing.text import plural
from contracts import search_attributes, workflow_ids
from starter.cli import output
from starter.cli.doctor.findings import CheckFinding, fault, ok, warning
from starter.cli.steps.asking import failing_anywhere
from starter.cli.steps.queues import tasks, workers
from starter.cli.steps.words import StepGroup, sentence
from storage.waiting.kinds import RESOLUTIONS
from temporal.pollers import QueueState, queue_states
from temporal.schedules import ScheduleState, list_schedules

SHORTEST_RETENTION = timedelta(days=3)
"""Shorter, and what on call looks for after a weekend is gone."""
_ANSWER = timedelta(seconds=5)
_CLOUD = "docs/run/temporal-cloud.md"


async def check_namespace(client: Client, *, embedded: bool) -> list[CheckFinding]:
    """Check the server and its namespace. The stack of `perdure up` may forget its workflows sooner."""
    service = client.workflow_service
    system = await service.get_system_info(GetSystemInfoRequest(), timeout=_ANSWER)
    try:
        namespace = await service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=_ANSWER
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        text = f"Temporal {system.server_version} has no namespace {client.namespace}."
        return [fault("temporal.namespace", text, "create it, or set TEMPORAL_NAMESPACE", "docs/run/production.md")]
    return [*_namespace(system.server_version, namespace, embedded=embedded), await _search_attributes(client)]


def _namespace(version: str, namespace: DescribeNamespaceResponse, *, embedded: bool) -> Iterator[CheckFinding]:
    name = namespace.namespace_info.name
    if namespace.namespace_info.capabilities.standalone_activities:
        yield ok("temporal.server", f"Temporal {version}, namespace {name}.")
    else:
        text = f"Temporal {version} runs no activities without a workflow: details of customers are not sent."
        yield fault("temporal.server", text, "use Temporal Server 1.31 or newer", "docs/run/production.md")
    kept = namespace.config.workflow_execution_retention_ttl.ToTimedelta()
    in_words = plural(round(kept / timedelta(days=1)), "day")
    if embedded or kept >= SHORTEST_RETENTION:
        yield ok("temporal.retention", f"Finished workflows are kept for {in_words}.")
    else:
        text = f"Finished workflows are kept for {in_words} only."
        yield warning("temporal.retention", text, "set the namespace's retention to 30 days or more", _CLOUD)


async def _search_attributes(client: Client) -> CheckFinding:
    missing = []
    for key in search_attributes.ALL:
        try:
            await client.count_workflows(f"{key.name} = 'none'")
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            missing.append(key.name)
    if missing:
        fix = "create them, of type Keyword; a billing worker does so where it may"
        return fault("temporal.search_attributes", f"No search attributes {', '.join(missing)}.", fix, _CLOUD)
    return ok("temporal.search_attributes", f"The {plural(len(search_attributes.ALL), 'search attribute')} exist.")


async def check_queues(client: Client, *, sources: bool) -> list[CheckFinding]:
    """Check that a worker serves each queue; `sources` only if there is something to read."""
    return [_queue(state, has_sources=sources) for state in await queue_states(client)]


def _queue(state: QueueState, *, has_sources: bool) -> CheckFinding:
    check, queue = f"workers.{state.queue}", f"The queue {state.queue}: {workers(state)}"
    if state.lacks_worker(has_sources=has_sources):
        seen = f" since {output.when(state.seen_at)}" if state.seen_at else ""
        fix = f"start `perdure worker --queue {state.queue}`"
        return fault(check, f"{queue}{seen}{tasks(state)}.", fix, "docs/on-call/workers-down.md")
    if not state.polling:
        return ok(check, f"{queue}, and none is needed: no sources, no API tokens.")
    since = f" since {output.when(state.since)}" if state.since else ""
    return ok(check, f"{queue}{since}{tasks(state)}.")


async def check_steps(client: Client) -> list[CheckFinding]:
    """Check that the steps of running workflows get on, in the words of `perdure status`."""
    groups = [each for each in await failing_anywhere(client) if each.stands_still]
    return [_step(group) for group in groups] or [ok("steps", "No step of a running workflow keeps failing.")]


def _step(group: StepGroup) -> CheckFinding:
    resolution = RESOLUTIONS[group.waits_as]
    fix = "correct that; the step is then repeated by itself" if resolution.person else "wait: it is repeated by itself"
    text = f"{sentence(group, datetime.now(UTC))}."
    return (fault if resolution.person else warning)("steps", text, fix, f"docs/on-call/{resolution.page}.md")


async def check_schedules(client: Client) -> list[CheckFinding]:
    """Check that the schedules exist and are not paused."""
    found = {state.id: state async for state in list_schedules(client)}
    missing = [name for name in workflow_ids.SCHEDULES if name not in found]
    page = "docs/run/every-month.md"
    lines = [_schedule(state, page) for state in found.values()]
    if missing:
        text = f"No schedule {', '.join(missing)}: nothing runs by itself."
        lines.append(warning("schedules", text, "create the schedules: `perdure schedule set`", page))
    return lines


def _schedule(state: ScheduleState, page: str) -> CheckFinding:
    check = f"schedules.{state.id}"
    if state.paused:
        fix = f"run `perdure schedule resume {state.id}`"
        return warning(check, f"The schedule {state.id} is paused{_note(state)}.", fix, page)
    following = f"; next {output.when(state.next_runs[0], 'minutes')}" if state.next_runs else ""
    return ok(check, f"The schedule {state.id} runs{following}.")


def _note(state: ScheduleState) -> str:
    return f": {state.note}" if state.note else ""
