"""Settling in one statement: it writes what the steps before it wrote, and nothing if the invoice has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import settings as product_settings
from activities.postgres.adopter import Adopter
from activities.postgres.invoices import InvoiceActivities
from billing.errors import IllegalTransitionError, MismatchError
from billing.invoice.states import InvoiceState
from contracts.messages.invoices import (
    InvoiceBrief,
    InvoiceRef,
    ReconcileInvoice,
    StripeInvoiceCreated,
    StripeInvoiceLine,
    StripeInvoiceOrder,
    StripeInvoiceSnapshot,
)
from contracts.messages.one_step.billed import SettleBilled, StripeInvoiceBilled
from storage.claims.claims import claim_page
from storage.invoices import collection
from storage.invoices import invoices as store
from storage.invoices.decisions import request_void
from storage.lookup.hosted import record_number
from storage.postgres.database import Database
from storage.reports.store import ReportStore
from storage.schema.tables import METADATA
from storage.settling.settling import InvoiceChangedError
from tests.storage.usage import FixedCard, add_account, add_instances, card, execute, fetch, instance, may, scope

S = InvoiceState
OPEN = {"status": "open", "attempt_count": 2, "collection_stopped": True}
PAID = {"status": "paid", "paid_at": may(34), "attempt_count": 1}
UNCOLLECTIBLE = {"status": "uncollectible", "marked_uncollectible_at": may(35), "total": None, "number": None}


class InterruptedStore(ReportStore):
    """A report store during whose reading something else happens, once."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def read_claims(self, report_id: str) -> Any:
        """Do what is to happen meanwhile, then read."""
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return await super().read_claims(report_id)


class World:
    """Accounts with the same usage each, their claimed invoices, and Stripe's finalized invoices."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.env = db, ActivityEnvironment()
        self.reports = InterruptedStore(folder.as_uri())
        loaded = product_settings.load(database_url="postgresql://u@h/d", report_store_url=folder.as_uri())
        adopter = Adopter(db, self.reports, FixedCard(card()), loaded)
        self.activities = InvoiceActivities(db, self.reports, loaded, adopter)

    async def claim(self, *names: str) -> None:
        for name in names:
            await add_account(self.db, f"team:{name}", customer=f"cus_{name}")
            own = {"attribution_id": f"team:{name}"}
            await add_instances(
                self.db,
                instance(f"i-{name}1", may(2), may(3.5, us=7), **own),
                instance(f"i-{name}2", may(2.25), may(4), workspace_class="xl", **own),
            )
        assert len((await claim_page(self.db, scope(), card())).keys) == len(names)

    async def billed(self, name: str, **changes: Any) -> StripeInvoiceBilled:
        """Publish the report; return what Stripe answers then."""
        ref = InvoiceRef(invoice_key=f"2022-05/team:{name}/period")
        order: StripeInvoiceOrder = await self.env.run(self.activities.publish_report, ref)
        found = {
            "stripe_invoice_id": f"in_{name}",
            "status": "open",
            "stripe_customer_id": f"cus_{name}",
            "currency": "usd",
            "subtotal": order.amount,
            "total": order.amount - 3,
            "discount": 5,
            "tax": 2,
            "number": f"N-{name}",
            "hosted_invoice_url": f"https://invoice.stripe.com/{name}",
            "metadata": order.metadata,
            "lines": [StripeInvoiceLine(line_id=x.line_id, amount=x.amount, currency="usd") for x in order.lines],
            "finalized_at": may(33),
        }
        return StripeInvoiceBilled(
            created=StripeInvoiceCreated(
                invoice_key=ref.invoice_key, stripe_invoice_id=f"in_{name}", stripe_customer_id=f"cus_{name}"
            ),
            snapshot=StripeInvoiceSnapshot(**{**found, **changes}),
        )

    async def settle(self, billed: StripeInvoiceBilled) -> InvoiceBrief:
        loaded = await self.env.run(self.activities.settle_billed, SettleBilled(billed=billed))
        assert loaded.invoice is not None
        return loaded.invoice

    async def rows(self, name: str) -> dict[str, list[str]]:
        """Return every row of every table about an account or its invoice, with names, ids and "now" made alike."""
        now, found = datetime.now(UTC), {}
        ids = [
            row.id for row in await fetch(self.db, "SELECT id FROM invoice WHERE attribution_id = :a", a=f"team:{name}")
        ]
        for table in METADATA.sorted_tables:
            rows = [dict(row._mapping) for row in await fetch(self.db, f'SELECT * FROM "{table.name}"')]
            own = [row for row in rows if row.get("invoice_id") in ids or f"team:{name}" in row.values()]
            found[table.name] = sorted(repr({k: _alike(name, k, v, now) for k, v in row.items()}) for row in own)
        return found


def _alike(name: str, column: str, value: object, now: datetime) -> object:
    if column in ("id", "invoice_id"):
        return "id"
    if isinstance(value, datetime) and abs(now - value) < timedelta(minutes=10):
        return "now"
    if isinstance(value, str):
        for prefix in ("team:", "in_", "cus_", "N-", "i-", "stripe.com/"):
            value = value.replace(f"{prefix}{name}", f"{prefix}*")
        return value.split("/")[0] if column == "report_id" else value
    return str(value)


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    return World(db, tmp_path)


async def _by_steps(world: World, billed: StripeInvoiceBilled) -> None:
    """Settle as it was done before, each fact in a transaction of its own."""
    db, made, stripe = world.db, billed.created, billed.snapshot
    key = made.invoice_key
    await store.record_draft(db, key, made.stripe_invoice_id, made.stripe_customer_id)
    await store.move_invoice(db, key, S.FINALIZED, may(33))
    await store.move_invoice(db, key, S.BILLED, datetime.now(UTC))
    if stripe.paid_at is not None:
        await store.move_invoice(db, key, S.PAID, stripe.paid_at)
    if stripe.marked_uncollectible_at is not None:
        await store.move_invoice(db, key, S.UNCOLLECTIBLE, stripe.marked_uncollectible_at)
    if stripe.total is not None:
        await store.record_stripe_total(db, key, stripe.total, stripe.discount, stripe.tax)
    if stripe.number is not None:
        await record_number(db, key, stripe.number, stripe.hosted_invoice_url)
    failed = stripe.status == "open"
    await collection.record(db, key, stripe.attempt_count, failed=failed, stopped=stripe.collection_stopped)


@pytest.mark.parametrize("found", [OPEN, PAID, UNCOLLECTIBLE], ids=lambda found: str(found["status"]))
@pytest.mark.parametrize("voided", [False, True])
async def test_it_writes_what_the_steps_wrote_in_every_table(world: World, found: dict[str, Any], voided: bool) -> None:
    await world.claim("a", "b", "c")
    stripes = {name: await world.billed(name, **found) for name in "abc"}
    for billed in stripes.values() if voided else ():
        key = billed.created.invoice_key
        await request_void(world.db, key, by="a person", reason="a mistake", write_off=True)
    await _by_steps(world, stripes["a"])
    brief = await world.settle(stripes["b"])
    made = stripes["c"].created
    await world.env.run(world.activities.record_draft, made)
    await world.env.run(
        world.activities.reconcile, ReconcileInvoice(invoice_key=made.invoice_key, snapshot=stripes["c"].snapshot)
    )
    written = {name: await world.rows(name) for name in "abc"}
    assert [len(written["a"][table]) for table in ("invoice", "invoice_day", "period_day_pending")] == [1, 4, 1]
    assert written["b"] == written["a"]
    assert written["c"] == written["a"]
    await world.settle(stripes["b"])
    assert await world.rows("b") == written["b"], "again"
    loaded = await world.env.run(world.activities.load, InvoiceRef(invoice_key=stripes["b"].created.invoice_key))
    assert loaded.invoice == brief


async def test_loading_takes_one_statement_and_settling_two(world: World) -> None:
    await world.claim("a")
    billed = await world.billed("a")
    statements: list[str] = []
    engine = world.db.engine.sync_engine

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        await world.env.run(world.activities.load, InvoiceRef(invoice_key=billed.created.invoice_key))
        assert (await world.settle(billed)).state is S.BILLED
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 3


@pytest.mark.parametrize("drafted", [False, True])
async def test_a_void_that_is_requested_meanwhile_is_seen(world: World, drafted: bool) -> None:
    await world.claim("a")
    billed = await world.billed("a")
    key = billed.created.invoice_key
    if drafted:
        await world.env.run(world.activities.record_draft, billed.created)

    async def void() -> None:
        await request_void(world.db, key, by="a person", reason="a mistake", write_off=False)

    before = await world.rows("a")
    world.reports.meanwhile = void
    with pytest.raises(InvoiceChangedError):
        await world.settle(billed)
    after = await world.rows("a")
    assert after["invoice_day"] == after["period_day_pending"] == after["hosted_invoice"] == []
    assert "'finalized_at': 'None'" in after["invoice"][0]
    assert after["invoice_line"] == before["invoice_line"]
    settled = await world.settle(billed)
    assert (settled.state, settled.void_requested) == (S.BILLED, True)


async def test_an_invoice_that_is_blocked_meanwhile_stays_blocked(world: World) -> None:
    await world.claim("a")
    billed = await world.billed("a")
    world.reports.meanwhile = lambda: store.block_invoice(world.db, billed.created.invoice_key, "a person looks")
    with pytest.raises(InvoiceChangedError):
        await world.settle(billed)
    with pytest.raises(ApplicationError, match="an invoice that is blocked cannot become a draft") as error:
        await world.settle(billed)
    assert error.value.type == IllegalTransitionError.__name__
    record = await store.load_invoice(world.db, billed.created.invoice_key)
    assert record is not None
    assert (record.state, record.blocked_reason, record.billed_at) == (S.BLOCKED, "a person looks", None)


async def test_usage_that_is_claimed_again_meanwhile_is_billed_as_stripe_has_it(world: World) -> None:
    """Stripe has finalized what the first report lists: that counts, and the rest is billable again."""
    await world.claim("a")
    billed = await world.billed("a")
    key = billed.created.invoice_key

    async def amend() -> None:
        await execute(world.db, "UPDATE claim SET during = tstzrange(lower(during), upper(during) + interval '1 day')")
        await execute(world.db, "UPDATE invoice SET revision = revision + 1, report_id = NULL, amount = amount + 1")

    world.reports.meanwhile = amend
    with pytest.raises(InvoiceChangedError):
        await world.settle(billed)
    assert (await world.settle(billed)).state is S.BILLED
    record = await store.load_invoice(world.db, key)
    assert record is not None
    assert (record.amount, record.report_id) == (billed.snapshot.subtotal, billed.snapshot.metadata["report_id"])


async def test_a_stripe_invoice_of_another_invoice_is_refused(world: World) -> None:
    await world.claim("a", "b")
    await world.settle(await world.billed("a"))
    other = await world.billed("b", stripe_invoice_id="in_a")
    made = other.created.model_copy(update={"stripe_invoice_id": "in_a"})
    with pytest.raises(ApplicationError, match="Stripe invoice in_a belongs to another invoice, not to") as error:
        await world.settle(other.model_copy(update={"created": made}))
    assert error.value.type == MismatchError.__name__
    record = await store.load_invoice(world.db, other.created.invoice_key)
    assert record is not None
    assert (record.state, record.stripe_invoice_id) == (S.CLAIMED, None)
