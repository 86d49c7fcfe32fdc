"""The whole product in a test: real workers, webhook, Postgres, Temporal and emulator, with a namespace per test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from temporalio.client import Client

import settings as product_settings
import worker as product_worker
from activities.stripe.client import close_stripe_client, make_stripe_client
from billing.audit.checks import DATABASE_CHECKS, AuditScope, Check
from billing.audit.finding import Finding
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import OPEN, InvoiceState
from billing.pricing.rate_card import load_rate_card
from billing.usage.rows import AccountRow, InstanceRow
from contracts.messages.periods import PeriodResult
from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE
from devstack.servers.emulator import EmulatorServer
from starter.webhook.handler import Webhook
from storage.accounts import accounts
from storage.audit.checks import run_database_check
from storage.audit.parameters import CheckInput
from storage.audit.runs import audit_findings, begin_audit
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.postgres.roles import BILLING, INGEST
from storage.reports.store import ReportStore
from storage.usage import instances
from temporal.payload_codec import data_converter
from temporal.start import start_period
from tests.support.namespaces import new_namespace
from tests.support.receiving import registered_webhook
from tests.support.roles import as_role
from tests.support.until import GIVE_UP_SECONDS, PATIENCE, until
from worker import billing_worker, sources_worker, stripe_worker

RATES = """
[[version]]
effective_from = 2020-01-01T00:00:00Z
credits_per_minute = { default = "0.1666666667", xl = "0.3333333333" }
price_per_credit = { usd = "0.036", eur = "0.034", jpy = "5" }
minimum_charge = { usd = "0.50", eur = "0.50" }
"""
product_worker.RUNNER = product_worker.SANDBOX  # it refuses what would not replay; production has only the lint
_CORRECTED = ("claimed_outside_windows", "claimed_beyond_runtime")
"""Findings left when a stop or a window is corrected after its usage was billed, which tests do on purpose."""


def at(text: str) -> datetime:
    """Parse `2022-05-03` or `2022-05-03T10:00:00.5`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class System:
    """One test's product. `stripe` is an SDK client of the emulator."""

    client: Client
    settings: product_settings.Settings
    db: Database
    reports: ReportStore
    emulator: EmulatorServer
    stripe: Any
    webhook: Webhook
    before: str | None
    """Id of the newest event in Stripe before this test."""
    audited: bool = True
    """Whether the books are audited at the end; a test that damages them by hand sets this to False."""
    roles: bool = True
    """Whether the workers log in as their roles, or as the settings say."""
    _parts: dict[str, AsyncExitStack] = field(default_factory=dict)

    async def start(self, *queues: str) -> None:
        """Start the workers of these queues, by default of billing and Stripe; that of the sources has its own role."""
        makers = {BILLING_QUEUE: billing_worker, STRIPE_QUEUE: stripe_worker, SOURCES_QUEUE: sources_worker}
        for queue in queues or (BILLING_QUEUE, STRIPE_QUEUE):
            stack = self._parts[queue] = AsyncExitStack()
            worker = await stack.enter_async_context(makers[queue](self.client, self.settings_of(queue)))
            await stack.enter_async_context(worker)

    def settings_of(self, queue: str) -> product_settings.Settings:
        """Return the settings of a queue's worker, which logs in to the database as its own role."""
        if not self.roles:
            return self.settings
        url = as_role(self.settings.need("database_url"), INGEST if queue == SOURCES_QUEUE else BILLING)
        return self.settings.model_copy(update={"database_url": SecretStr(url)})

    async def stop(self, *queues: str) -> None:
        """Stop the workers of these queues, by default of all that run."""
        for queue in queues or tuple(self._parts):
            await self._parts.pop(queue).aclose()

    async def add_account(
        self,
        attribution_id: str,
        *windows: tuple[str, str | None],
        currency: str = "usd",
        customer: str | None = None,
        bill_after: datetime | None = None,
    ) -> None:
        """Add an account with its windows, as an import would."""
        rows = [
            AccountRow(
                line=number,
                attribution_id=attribution_id,
                stripe_customer_id=customer,
                currency=currency,
                bill_after=bill_after,
                started=at(window[0]) if window else None,
                ended=at(window[1]) if window and window[1] else None,
            )
            for number, window in enumerate(windows or (None,), 2)
        ]
        assert await accounts.upsert_accounts(self.db, rows) == []

    async def add_instance(
        self, id: str, attribution_id: str | None, start: str, stop: str | None, workspace_class: str = "default"
    ) -> None:
        """Add a workspace instance; without `stop` it still runs."""
        row = InstanceRow(
            line=2,
            id=id,
            attribution_id=attribution_id,
            workspace_id=f"ws-{id}",
            project_id="prj",
            owner_id="owner",
            workspace_class=workspace_class,
            workspace_type="regular",
            creation_time=at(start),
            started_time=at(start),
            stopping_time=at(stop) if stop else None,
            stopped_time=None,
        )
        result = await instances.upsert_instances(self.db, [row])
        assert not result.faults

    async def start_period(self, period: str = "2022-05") -> Any:
        """Start the period's workflow, or have it process the accounts once more. Returns its handle."""
        return await start_period(self.client, period)

    async def run_period(self, period: str = "2022-05") -> PeriodResult:
        """Run a period to its end."""
        handle = await self.start_period(period)
        outcome: PeriodResult = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS * PATIENCE.get())
        return outcome

    async def run_period_until_blocked(self, period: str) -> None:
        """Have a period process its accounts without awaiting its end, which can depend on a person."""
        await self.start_period(period)

    async def invoices(self, period: str | None = None) -> list[InvoiceRecord]:
        """Return all invoices, ordered by key."""
        return sorted(await invoices.list_invoices(self.db, period=period, limit=1000), key=lambda invoice: invoice.key)

    async def books(self) -> list[tuple[str, InvoiceState, int, str | None]]:
        """Return what is billed, by key, without fields that attempts to charge can still change."""
        return [(i.key, i.state, i.amount, i.stripe_invoice_id) for i in await self.invoices()]

    async def invoice(self, key: str) -> InvoiceRecord:
        """Return one invoice."""
        record = await invoices.load_invoice(self.db, key)
        assert record is not None
        return record

    async def until_state(self, key: str, *states: InvoiceState) -> InvoiceRecord:
        """Wait until the invoice is in one of the states."""

        async def there() -> InvoiceRecord | None:
            record = await invoices.load_invoice(self.db, key)
            return record if record and record.state in states else None

        return await until(there)

    async def until_settled(self, count: int) -> list[InvoiceRecord]:
        """Wait until there are `count` invoices and none is open."""

        async def there() -> list[InvoiceRecord] | None:
            found = await self.invoices()
            return found if len(found) == count and not any(i.state in OPEN for i in found) else None

        return await until(there)

    async def admin(self, path: str, document: object = None, *, method: str = "POST") -> Any:
        """Call an admin route of the emulator, `/_emulator/<path>`."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.emulator.url}/_emulator/{path}", json=document) as response,
        ):
            assert response.status < 300, await response.text()
            return await response.json()

    async def stripe_invoices(self) -> list[dict[str, Any]]:
        """Return all invoices in Stripe, including those of earlier tests in the module."""
        page = await self.stripe.v1.invoices.list_async({"limit": 100})
        return [found.to_dict() async for found in page.auto_paging_iter()]


async def discrepancies(system: System) -> list[Finding]:
    """Return the findings of the checks of the books in PostgreSQL, which must hold after every test."""
    scope, stuck_after = AuditScope(), timedelta(days=1)
    await begin_audit(system.db, "in-the-end", scope, stuck_after)
    for check in DATABASE_CHECKS:
        if check is not Check.NOTHING_STUCK:
            given = CheckInput(
                "in-the-end", check, scope, stuck_after, bill_after=system.settings.bill_after,
                rate_card=load_rate_card(system.settings.rate_card), now=datetime.now(UTC), zone=system.settings.zone,
            )  # fmt: skip
            await run_database_check(system.db, given)
    found = [finding async for _, finding in audit_findings(system.db, "in-the-end")]
    return [finding for finding in found if finding.kind not in _CORRECTED]


@asynccontextmanager
async def running_system(
    client: Client,
    database_url: str,
    emulator: EmulatorServer,
    folder: Path,
    *,
    queues: Iterable[str] = (BILLING_QUEUE, STRIPE_QUEUE),
    rate_card: str = RATES,
    **overrides: Any,
) -> AsyncIterator[System]:
    """Run the product for one test on an upgraded database; the worker logs in to it as `perdure_billing`."""
    rates = folder / "rates.toml"
    rates.write_text(rate_card)
    async with AsyncExitStack() as stack:
        settings = product_settings.load(
            **{
                "database_url": as_role(database_url, BILLING),
                "report_store_url": (folder / "reports").as_uri(),
                "stripe_api_key": emulator.api_key,
                "stripe_api_base": emulator.url,
                "rate_card": rates,
                **overrides,
            }
        )
        stripe: Any = make_stripe_client(emulator.api_key, emulator.url)
        stack.push_async_callback(close_stripe_client, stripe)
        namespace = await new_namespace(client, data_converter(settings))
        webhook = await stack.enter_async_context(registered_webhook(namespace, stripe))
        newest = (await stripe.v1.events.list_async({"limit": 1})).data
        db = Database(database_url, 5)
        stack.push_async_callback(db.close)
        reports = ReportStore(settings.need("report_store_url"))
        before = newest[0].id if newest else None
        system = System(namespace, settings, db, reports, emulator, stripe, webhook, before)
        if queues := tuple(queues):
            await system.start(*queues)
        stack.push_async_callback(system.stop)
        yield system
        if system.audited:
            assert await discrepancies(system) == []
