"""The composition root of the worker processes: which queues this process serves, and with which clients.

`billing` runs the workflows and what they do on Postgres and the report store; `stripe` makes the Stripe
calls and is the only process that holds the API key.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.postgres.accounts import AccountActivities
from activities.postgres.audit.audit import AuditActivities
from activities.postgres.audit.credit_notes import AuditCreditNoteActivities
from activities.postgres.audit.stripe import AuditStripeActivities
from activities.postgres.credit_notes import CreditNoteActivities
from activities.postgres.decisions import DecisionActivities
from activities.postgres.disputes import DisputeActivities
from activities.postgres.events import EventActivities
from activities.postgres.invoices import InvoiceActivities
from activities.postgres.links import LinkActivities
from activities.postgres.period_limits import PeriodLimitActivities
from activities.postgres.periods import PeriodActivities
from activities.postgres.recovery import RecoveryActivities
from activities.postgres.scopes import period_limits, policy_of
from activities.stripe.adoption import StripeAdoptionActivities
from activities.stripe.audit import StripeAuditActivities
from activities.stripe.client import close_stripe_client, make_stripe_client
from activities.stripe.credit_notes import StripeCreditNoteActivities
from activities.stripe.customers import StripeCustomerActivities
from activities.stripe.disputes import StripeDisputeActivities
from activities.stripe.drafts import StripeDraftActivities
from activities.stripe.events import StripeEventActivities
from activities.stripe.invoices import StripeInvoiceActivities
from activities.stripe.mode import mode_of_key
from billing.pricing.rate_card import load_rate_card
from contracts import retries
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE
from settings import Settings, SettingsError
from storage.postgres.database import Database
from storage.reports.store import ReportStore
from temporal.client import connect, register_search_attributes
from workflows.audit.audit import AuditWorkflow
from workflows.invoices.credit_note import CreditNotesSyncWorkflow, CreditNoteWorkflow
from workflows.invoices.invoice import InvoiceWorkflow
from workflows.periods.batch import BillingBatchWorkflow
from workflows.periods.period import BillingPeriodWorkflow
from workflows.periods.schedule import ScheduledPeriodWorkflow
from workflows.recovery.adoption import AdoptInvoicesWorkflow
from workflows.stripe_sync.accounts_sync import AccountsSyncWorkflow
from workflows.stripe_sync.dispute import DisputeWorkflow
from workflows.stripe_sync.events import EventsCatchUpWorkflow
from workflows.stripe_sync.stripe_invoice import StripeInvoiceWorkflow
from workflows.stripe_sync.subscription import SubscriptionWorkflow

logger = logging.getLogger("perdure.worker")

WORKFLOWS = [
    BillingPeriodWorkflow,
    BillingBatchWorkflow,
    InvoiceWorkflow,
    StripeInvoiceWorkflow,
    SubscriptionWorkflow,
    ScheduledPeriodWorkflow,
    AccountsSyncWorkflow,
    CreditNoteWorkflow,
    CreditNotesSyncWorkflow,
    EventsCatchUpWorkflow,
    DisputeWorkflow,
    AdoptInvoicesWorkflow,
    AuditWorkflow,
]
QUEUES = (BILLING_QUEUE, STRIPE_QUEUE)
_DRAIN = timedelta(seconds=25)
_MOST_STRIPE_CALLS = 50
# Pure code that every workflow shares; the workflows' own modules stay inside the sandbox.
SANDBOX = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("billing", "contracts", "pydantic")
)


@asynccontextmanager
async def billing_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """The worker of the queue `billing`; its database and report store answer when it is handed out.

    Raises:
        SettingsError: DATABASE_URL or REPORT_STORE_URL is not set.
        InputError: the rate card or the report store's URL is invalid.
        PerdureError: the database or the store cannot be reached.
    """
    rate_card = load_rate_card(settings.rate_card)
    policy_of(settings), period_limits(settings)  # told at the start, not in the middle of a period
    database = Database(settings.need("database_url"), settings.database_pool_size)
    try:
        await database.ping()
        reports = ReportStore(settings.need("report_store_url"))
        await reports.ping()
        recovery = RecoveryActivities(database, reports, rate_card, settings)
        invoices = InvoiceActivities(database, reports, settings, recovery)
        periods = PeriodActivities(database, rate_card, settings)
        accounts = AccountActivities(database, settings)
        decisions = DecisionActivities(database, rate_card, settings)
        credit_notes = CreditNoteActivities(database)
        events = EventActivities(database, client, settings.events_wake_ups_per_second)
        audit = AuditActivities(database, reports, rate_card, settings)
        audited = AuditStripeActivities(database, settings)
        audited_notes = AuditCreditNoteActivities(database, settings)
        yield Worker(
            client,
            task_queue=BILLING_QUEUE,
            workflows=WORKFLOWS,
            activities=[
                *(invoices.load, invoices.publish_report, invoices.record_customer, invoices.record_draft),
                *(invoices.settle, invoices.block, invoices.resume),
                *(periods.plan_pages, periods.claim_page, periods.claim_cancellation),
                periods.claim_subscription_draft,
                *(periods.progress, periods.write_summary),
                *(accounts.apply_subscription, accounts.store_accounts, accounts.record_fault),
                *(decisions.approve, decisions.rebuild, decisions.request_void),
                LinkActivities(database).link,
                PeriodLimitActivities(database, rate_card, settings).approve,
                *(decisions.amend, decisions.give_up_draft),
                *(credit_notes.load, credit_notes.record, credit_notes.block, credit_notes.resume),
                *(credit_notes.withdraw, credit_notes.find_invoice, credit_notes.store),
                *(events.load, events.deliver, events.move),
                *(DisputeActivities(database).record, recovery.adopt_report, recovery.adopt_invoices),
                *(audit.begin, audit.check_database, audit.check_reports, audit.record_checks),
                *(audit.not_made, audit.finish),
                *(audited.stage, audited.mark, audited.suspects, audited.judge),
                *(audited_notes.stage, audited_notes.suspects, audited_notes.judge, audited_notes.count),
            ],
            workflow_runner=SANDBOX,
            max_concurrent_activities=2 * settings.database_pool_size,
            max_concurrent_local_activities=2 * settings.database_pool_size,
            max_heartbeat_throttle_interval=retries.HEARTBEATS_SENT,
            graceful_shutdown_timeout=_DRAIN,
        )
    finally:
        await database.close()


@asynccontextmanager
async def stripe_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """The worker of the queue `stripe`. Its rate is limited by the server, for all processes together.

    Raises:
        SettingsError: STRIPE_API_KEY is not set, or is of the other mode than STRIPE_MODE.
    """
    stripe_client = make_stripe_client(stripe_api_key(settings), settings.stripe_api_base)
    try:
        invoices = StripeInvoiceActivities(stripe_client, settings.stripe_mode)
        drafts = StripeDraftActivities(stripe_client, settings.stripe_mode)
        customers = StripeCustomerActivities(stripe_client)
        credit_notes = StripeCreditNoteActivities(stripe_client)
        disputes = StripeDisputeActivities(stripe_client, settings.stripe_mode)
        events = StripeEventActivities(stripe_client, settings.events_settle_seconds)
        audit = StripeAuditActivities(stripe_client, settings.stripe_mode)
        yield Worker(
            client,
            task_queue=STRIPE_QUEUE,
            activities=[
                *(invoices.create, invoices.finalize, invoices.retrieve),
                *(drafts.fill, drafts.hold, drafts.void, drafts.look_up),
                *(customers.ensure_customer, customers.retrieve_subscription, customers.list_accounts),
                *(credit_notes.create, credit_notes.list_all),
                *(events.list_events, disputes.retrieve),
                StripeAdoptionActivities(stripe_client, settings.stripe_mode).list_invoices,
                *(audit.list_invoices, audit.look_at, audit.list_credit_notes),
            ],
            max_concurrent_activities=_MOST_STRIPE_CALLS,
            max_task_queue_activities_per_second=settings.stripe_activities_per_second,
            disable_eager_activity_execution=True,
            max_heartbeat_throttle_interval=retries.HEARTBEATS_SENT,
            graceful_shutdown_timeout=_DRAIN,
        )
    finally:
        await close_stripe_client(stripe_client)


def stripe_api_key(settings: Settings) -> str:
    """The API key, of the mode that this deployment is for.

    Raises:
        SettingsError: it is not set, or of the other mode.
    """
    key = settings.need("stripe_api_key")
    mode = mode_of_key(key)
    if settings.stripe_mode is not None and mode not in (None, settings.stripe_mode):
        raise SettingsError(
            f"STRIPE_API_KEY is a {mode} key ({key[:8]}...), but STRIPE_MODE is {settings.stripe_mode}: "
            "give the Stripe worker the right key, or correct STRIPE_MODE"
        )
    return key


_NEEDS = {BILLING_QUEUE: ("database_url", "report_store_url"), STRIPE_QUEUE: ("stripe_api_key",)}
_MAKERS = {BILLING_QUEUE: billing_worker, STRIPE_QUEUE: stripe_worker}


async def serve(settings: Settings, queues: Sequence[str] = QUEUES) -> None:
    """Serve the queues until SIGTERM or SIGINT, then let running activities end.

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
    client = await connect(metrics_port=settings.metrics_port)
    await register_search_attributes(client)
    async with AsyncExitStack() as stack:
        # First all of them are made, so that what is unreachable is told before any work is taken on.
        workers = [await stack.enter_async_context(_MAKERS[queue](client, settings)) for queue in queues]
        for worker in workers:
            await stack.enter_async_context(worker)
        logger.info("serving %s; stop with SIGTERM", ", ".join(queues))
        await stop.wait()
        logger.info("draining: running activities have %s to end", _DRAIN)
    logger.info("stopped")
