"""The composition root of the worker processes: the queues that a process serves, and their clients.

`billing` runs the workflows and their activities on Postgres and the report store; `stripe` calls Stripe and is the
only process that holds the API key; `sources` reads the databases, folders and buckets of `sources.toml` and is the
only process that holds their secrets. A process imports only the code and the libraries of its queues. What a queue
runs is listed in `workflows/registry.py` and `activities/registry/`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.failures import FailureReporting
from activities.step import activities_of
from activities.stripe.mode import stripe_api_key
from contracts import retries
from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE
from settings import Settings
from temporal.client import connect, register_search_attributes

if TYPE_CHECKING:
    from starter.health import WorkerHealth

logger = logging.getLogger("perdure.worker")

QUEUES = (BILLING_QUEUE, STRIPE_QUEUE)
"""The queues that a process serves by default; `sources` has secrets of its own, so it is served by name."""
_DRAIN = timedelta(seconds=25)
_MOST_STRIPE_CALLS = 50
_ALIKE: dict[str, Any] = {"interceptors": [FailureReporting()], "graceful_shutdown_timeout": _DRAIN}
_ALIKE["max_heartbeat_throttle_interval"] = retries.HEARTBEATS_SENT
RUNNER: WorkflowRunner = UnsandboxedWorkflowRunner()
"""How workers run workflows. The sandbox costs a third of the billing worker's CPU, and ruff refuses the same
(`banned-api` in `pyproject.toml`): so only tests, campaigns and replays have it, and set this to `SANDBOX`."""
SANDBOX = SandboxedWorkflowRunner(
    # Pure code that all workflows share; the workflows' own modules stay inside the sandbox.
    restrictions=SandboxRestrictions.default.with_passthrough_modules("billing", "contracts", "pydantic")
)


@asynccontextmanager
async def billing_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """Make the worker of the queue `billing`, after checking that the database and the report store answer.

    Raises:
        SettingsError: DATABASE_URL or REPORT_STORE_URL is not set.
        InputError: the rate card or the report store's URL is invalid.
        PerdureError: the database or the store cannot be reached, or the database is older than this code.
    """
    from activities.postgres.scopes import period_limits, policy_of
    from activities.rate_cards import RateCards
    from activities.registry.billing import billing_activities
    from storage.postgres.database import Database
    from storage.postgres.revision import require_known_revision
    from storage.reports.store import ReportStore
    from workflows.registry import WORKFLOWS

    policy_of(settings), period_limits(settings)  # so that a fault shows at the start, not in the middle of a period
    database = Database(settings.need("database_url"), settings.database_pool_size)
    try:
        await database.ping()
        async with database.transaction() as connection:
            await require_known_revision(connection, or_newer=True)
        reports = ReportStore(settings.need("report_store_url"))
        await reports.ping()
        cards = RateCards(database, settings)
        await cards.current()  # a fault in it shows at the start
        yield Worker(
            client,
            task_queue=BILLING_QUEUE,
            workflows=WORKFLOWS,
            activities=billing_activities(client, settings, database, reports, cards),
            workflow_runner=RUNNER,
            max_concurrent_activities=2 * settings.database_pool_size,
            max_concurrent_local_activities=2 * settings.database_pool_size,
            **_ALIKE,
        )
    finally:
        await database.close()


@asynccontextmanager
async def stripe_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """Make the worker of the queue `stripe`. The server limits its rate, for all processes together.

    Raises:
        SettingsError: STRIPE_API_KEY is not set, or does not match STRIPE_MODE.
    """
    from activities.registry.stripe import stripe_activities
    from activities.stripe.account.rate import invoices_per_second, outdated_rate
    from activities.stripe.client import close_stripe_client, make_stripe_client

    if (outdated := outdated_rate(settings)) is not None:
        logger.warning(outdated)
    stripe_client = make_stripe_client(stripe_api_key(settings), settings.stripe_api_base)
    try:
        yield Worker(
            client,
            task_queue=STRIPE_QUEUE,
            activities=stripe_activities(stripe_client, settings),
            max_concurrent_activities=_MOST_STRIPE_CALLS,
            max_task_queue_activities_per_second=invoices_per_second(settings),
            disable_eager_activity_execution=True,
            **_ALIKE,
        )
    finally:
        await close_stripe_client(stripe_client)


@asynccontextmanager
async def sources_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """Make the worker of the queue `sources`, after registering the sources of `sources.toml`, if there is one.

    A change of that file registers them again; a wrong one is logged and changes nothing. What the API accepts is kept.

    Raises:
        SettingsError: DATABASE_URL is not set.
        PerdureError: the database cannot be reached, has another schema, or does not allow this role to store usage.
    """
    from activities.sources.accepted import loops
    from activities.sources.catalog import SourceCatalog
    from activities.sources.draining import DrainActivities
    from activities.sources.reading import SourceActivities
    from activities.sources.registering import Registrar
    from storage.arrivals.sources import require_ingesting
    from storage.postgres.database import Database
    from temporal.customers import CustomerSender

    catalog = SourceCatalog(settings.sources)
    database = Database(settings.need("database_url"), settings.database_pool_size)
    try:
        await database.ping()
        await require_ingesting(database)
        registrar = Registrar(database, catalog)
        await registrar.register()
        async with _alongside(registrar.run(), *loops(database, CustomerSender(client, settings))):
            yield Worker(
                client,
                task_queue=SOURCES_QUEUE,
                activities=activities_of(SourceActivities(database, catalog), DrainActivities(database)),
                # A read holds one connection as long as it lasts, and needs another one for a moment.
                max_concurrent_activities=max(1, settings.database_pool_size // 2),
                disable_eager_activity_execution=True,
                **_ALIKE,
            )
    finally:
        await database.close()


@asynccontextmanager
async def _alongside(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what never ends by itself, until the body ends. An error of it ends the body."""
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(loop) for loop in loops]
            yield
            for task in running:
                task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


_NEEDS = {
    BILLING_QUEUE: ("database_url", "report_store_url"),
    STRIPE_QUEUE: ("stripe_api_key",),
    SOURCES_QUEUE: ("database_url",),
}
_MAKERS = {BILLING_QUEUE: billing_worker, STRIPE_QUEUE: stripe_worker, SOURCES_QUEUE: sources_worker}


async def serve(settings: Settings, queues: Sequence[str] = QUEUES, health: WorkerHealth | None = None) -> None:
    """Serve the queues until SIGTERM or SIGINT, then drain running activities. `health` learns of both.

    Raises:
        SettingsError: a setting that a queue needs is missing.
        PerdureError: Temporal, the database or the report store cannot be reached.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for queue in queues:
        for name in _NEEDS[queue]:
            settings.need(name)
    if STRIPE_QUEUE in queues:
        stripe_api_key(settings)
    client = await connect(metrics_port=settings.metrics_port, logs=True)
    await register_search_attributes(client)
    async with AsyncExitStack() as stack:
        # Make all workers first, so that an unreachable server shows before any work begins.
        workers = [await stack.enter_async_context(_MAKERS[queue](client, settings)) for queue in queues]
        for worker in workers:
            await stack.enter_async_context(worker)
        logger.info("serving %s; stop with SIGTERM", ", ".join(queues))
        with health.serving(client, queues) if health else nullcontext():
            await stop.wait()
        logger.info("draining: running activities have %s to finish", _DRAIN)
    logger.info("stopped")
