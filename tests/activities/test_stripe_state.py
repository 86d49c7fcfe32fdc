"""Reconciliation on a real database and report store: what is billed, refused, restored and recovered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import settings as product_settings
from activities.postgres.adopter import Adopter
from activities.postgres.invoices import InvoiceActivities
from billing.errors import EditedInvoiceError
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.holds import Hold
from contracts.messages.invoices import (
    EditedFigures,
    InvoiceRef,
    ReconcileInvoice,
    StripeInvoiceCreated,
    StripeInvoiceLine,
    StripeInvoiceOrder,
    StripeInvoiceSnapshot,
)
from contracts.messages.one_step.billed import SettleBilled, StripeInvoiceBilled
from reconciliation.figures import lines_digest
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, load_invoice, move_invoice
from storage.postgres.database import Database
from storage.reports.content import report_content
from storage.reports.store import ReportStore
from tests.storage.usage import FixedCard, add_account, add_instances, card, execute, instance, may, scope

KEY = "2022-05/team:a/period"
CREATED = StripeInvoiceCreated(invoice_key=KEY, stripe_invoice_id="in_1", stripe_customer_id="cus_1")
S = InvoiceState


class Books:
    """One invoice with two lines, published and, unless `in_one_step`, drafted; and Stripe's side of it."""

    def __init__(self, db: Database, reports: ReportStore, folder: Path, *, in_one_step: bool) -> None:
        self.in_one_step = in_one_step
        self.db, self.reports, self.env = db, reports, ActivityEnvironment()
        loaded = product_settings.load(database_url="postgresql://u@h/d", report_store_url=folder.as_uri())
        self.folder = folder
        self.activities = InvoiceActivities(db, reports, loaded, Adopter(db, reports, FixedCard(card()), loaded))
        self.snapshot = StripeInvoiceSnapshot(stripe_invoice_id="in_1", status="open")

    async def prepare(self) -> None:
        await add_account(self.db, customer="cus_1")
        await add_instances(
            self.db,
            instance("i-1", may(2), may(3)),
            instance("i-2", may(2), may(4), workspace_class="xl"),
            instance("i-3", may(5), may(6)),
        )
        assert (await claim_page(self.db, scope(), card())).keys == (KEY,)
        order: StripeInvoiceOrder = await self.env.run(self.activities.publish_report, InvoiceRef(invoice_key=KEY))
        assert await self.env.run(self.activities.publish_report, InvoiceRef(invoice_key=KEY)) == order
        for _ in range(0 if self.in_one_step else 2):
            await self.env.run(self.activities.record_draft, CREATED)
        self.snapshot = StripeInvoiceSnapshot(
            stripe_invoice_id="in_1",
            status="open",
            stripe_customer_id="cus_1",
            currency="usd",
            subtotal=order.amount,
            metadata=order.metadata,
            lines=[StripeInvoiceLine(line_id=x.line_id, amount=x.amount, currency="usd") for x in order.lines],
            finalized_at=may(33),
        )

    async def reconcile(self, **changes: Any) -> InvoiceState:
        snapshot = self.snapshot.model_copy(update=changes)
        if self.in_one_step:
            billed = StripeInvoiceBilled(created=CREATED, snapshot=snapshot)
            loaded = await self.env.run(self.activities.settle_billed, SettleBilled(billed=billed))
        else:
            reconcile = ReconcileInvoice(invoice_key=KEY, snapshot=snapshot)
            loaded = await self.env.run(self.activities.reconcile, reconcile)
        assert loaded.invoice is not None
        return InvoiceState(loaded.invoice.state)

    async def refuses(self, what: str, **changes: Any) -> ApplicationError:
        with pytest.raises(ApplicationError, match=what) as error:
            await self.reconcile(**changes)
        assert error.value.non_retryable
        assert (await self.record()).state is S.DRAFT, "nothing is billed"
        return error.value

    async def record(self) -> InvoiceRecord:
        record = await load_invoice(self.db, KEY)
        assert record is not None
        return record

    @property
    def report_id(self) -> str:
        return self.snapshot.metadata["report_id"]

    async def lose_report(self) -> None:
        (self.folder / self.report_id).unlink()
        assert not await self.reports.has(self.report_id)


@pytest.fixture(params=[False, True], ids=["drafted", "in_one_step"])
async def books(db: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Books:
    (tmp_path / "reports").mkdir()
    reports = ReportStore((tmp_path / "reports").as_uri())
    found = Books(db, reports, tmp_path / "reports", in_one_step=request.param)
    await found.prepare()
    return found


async def test_books_that_agree_are_billed_once_however_often_they_are_settled(books: Books) -> None:
    assert [await books.reconcile() for _ in range(3)] == [S.BILLED] * 3
    record = await books.record()
    assert (record.finalized_at, record.amount) == (may(33), 2880 + 5760)
    assert await books.reconcile(status="paid", paid_at=may(34)) is S.PAID
    assert await books.reconcile(status="open") is S.PAID, "an older event"


async def test_an_invoice_that_was_edited_in_stripe_is_refused_with_what_is_there(books: Books) -> None:
    first, second = books.snapshot.lines
    edited = [first, second.model_copy(update={"amount": second.amount + 1})]
    error = await books.refuses("lines of in_1", lines=edited)
    digest = lines_digest((line.line_id, line.amount) for line in edited)
    assert error.type == EditedInvoiceError.__name__
    assert error.details == (EditedFigures(subtotal=books.snapshot.subtotal, digest=digest),)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("currency of in_1", {"currency": "eur"}),
        ("customer of in_1", {"stripe_customer_id": "cus_2"}),
        ("Postgres has the report .* 'other' is not a report id", {"metadata": {"report_id": "other"}}),
    ],
)
async def test_stripe_says_something_else(books: Books, what: str, changes: dict[str, Any]) -> None:
    await books.refuses(what, **changes)


async def test_a_lost_report_is_restored(books: Books) -> None:
    await books.lose_report()
    assert await books.reconcile() is S.BILLED
    assert await books.reports.has(books.report_id)


async def test_of_an_invoice_that_was_edited_in_stripe_no_report_is_restored(books: Books) -> None:
    """A person decides on what Stripe has, even when the report cannot be made again."""
    await books.lose_report()
    await execute(books.db, "DELETE FROM claim")
    error = await books.refuses("lines of in_1", subtotal=1)
    assert error.type == EditedInvoiceError.__name__
    assert not await books.reports.has(books.report_id)
    await books.refuses("cannot be made from the claims")


async def test_a_crash_between_two_states_is_recovered_from(books: Books) -> None:
    assert await move_invoice(books.db, KEY, S.FINALIZED, may(33))
    assert await books.reconcile(status="paid", paid_at=may(34), attempt_count=2) is S.PAID
    record = await books.record()
    assert (record.finalized_at, record.paid_at, record.payment_attempts) == (may(33), may(34), 2)
    assert record.payment_failed_at is None


async def test_failed_payments_are_counted_and_no_state_is_moved(books: Books) -> None:
    await books.reconcile()
    for attempts in (1, 1, 2):
        assert await books.reconcile(attempt_count=attempts) is S.BILLED
        record = await books.record()
        assert record.payment_attempts == attempts
        assert record.payment_failed_at is not None


async def test_collection_that_stops_and_resumes_is_recorded_and_no_state_is_moved(books: Books) -> None:
    await books.reconcile()
    assert await books.reconcile(collection_stopped=True) is S.BILLED
    first = (await books.record()).collection_stopped_at
    assert first is not None
    await books.reconcile(collection_stopped=True, attempt_count=1)
    assert (await books.record()).collection_stopped_at == first
    await books.reconcile(attempt_count=1)
    assert (await books.record()).collection_stopped_at is None


async def test_a_pause_that_became_for_good_is_shown_as_held(books: Books) -> None:
    paused = Hold(held_as=BlockedKind.COLLECTION_PAUSED, reason="waits for collection of sub_1")
    held = Hold(held_as=BlockedKind.HELD_IN_STRIPE, reason="waits for the draft in_1: its subscription ended")
    assert await books.reconcile(status="draft") is S.DRAFT
    await block_invoice(books.db, KEY, paused.reason, kind=paused.held_as)
    since = (await books.record()).blocked_since
    for hold in (paused, held, held):
        assert await books.reconcile(status="draft", hold=hold) is S.BLOCKED
        record = await books.record()
        assert (record.blocked_kind, record.blocked_reason) == (hold.held_as, hold.reason)
    assert record.blocked_since == since
    assert await books.reconcile(status="draft") is S.DRAFT


# Changes in Postgres after the report was published: the report still holds the old values.
POSTGRES = {
    "cutoff of the report": "UPDATE invoice SET cutoff = cutoff - interval '1 second'",
    "credits of the report": "UPDATE invoice SET credits = credits + 1",
    "report's lines": "UPDATE invoice_line SET credits = credits + 0.000001 WHERE line_no = 1",
    "claims by line": "DELETE FROM claim WHERE instance_id = 'i-3'",
}
CLAIMS = {
    "shorter": "UPDATE claim SET during = tstzrange(lower(during), upper(during) - interval '1 microsecond') "
    "WHERE instance_id = 'i-3'",
    "on the other line": "UPDATE claim SET line_no = 2 WHERE instance_id = 'i-3'",
    "one more": "INSERT INTO claim (invoice_id, line_no, instance_id, during) "
    "SELECT id, 1, 'i-9', '[2022-05-10, 2022-05-11)' FROM invoice",
}


@pytest.mark.parametrize("what", POSTGRES)
async def test_postgres_and_the_report_differ(books: Books, what: str) -> None:
    await execute(books.db, POSTGRES[what])
    await books.refuses(what)


@pytest.mark.parametrize("how", CLAIMS)
async def test_the_claims_are_not_the_reports(books: Books, how: str) -> None:
    await execute(books.db, CLAIMS[how])
    await books.refuses("claims by line")


async def test_all_agree_but_with_another_invoices_report(books: Books) -> None:
    """Its digest and figures are right, but it names the other invoice."""
    other = await _published_for(books, "2022-05/team:a/period/2")
    await execute(books.db, "UPDATE invoice SET report_id = :report", report=other)
    await books.refuses("invoice_key of the report", metadata={**books.snapshot.metadata, "report_id": other})


@pytest.mark.parametrize(("field", "value"), [("amount", 8641), ("currency", "jpy")])
async def test_an_amount_or_currency_that_only_the_report_lacks(books: Books, field: str, value: object) -> None:
    """Our figure and Stripe's were changed alike: the report still holds the rated one."""
    column = {"amount": "amount", "currency": "currency"}[field]
    await execute(books.db, f"UPDATE invoice SET {column} = :value", value=value)
    changes: dict[str, Any] = (
        {"subtotal": value}
        if field == "amount"
        else {
            "currency": value,
            "lines": [line.model_copy(update={"currency": value}) for line in books.snapshot.lines],
        }
    )
    await books.refuses(f"{field} of the report", **changes)


async def _published_for(books: Books, key: str) -> str:
    await execute(books.db, "UPDATE invoice SET key = :key", key=key)
    record = await load_invoice(books.db, key)
    assert record is not None
    published = await books.reports.publish(
        record.billing_period, record.attribution_id, report_content(books.db, record)
    )
    await execute(books.db, "UPDATE invoice SET key = :key", key=KEY)
    return published.report_id


async def test_a_dead_invoice_stays_dead_and_its_usage_is_free(books: Books) -> None:
    assert await books.reconcile(status="void", voided_at=may(34)) is S.VOIDED
    assert await books.reconcile(status="open") is S.VOIDED
    assert (await claim_page(books.db, scope(), card())).keys == (f"{KEY}/2",)


async def test_an_order_is_loaded_only_while_its_report_is_surely_in_the_store(books: Books) -> None:
    async def order() -> StripeInvoiceOrder | None:
        loaded = (await books.env.run(books.activities.load, InvoiceRef(invoice_key=KEY))).invoice
        assert loaded is not None
        return loaded.order

    assert (await order() is not None) is books.in_one_step
    await execute(books.db, "UPDATE invoice SET claimed_at = claimed_at - interval '1 hour'")
    assert await order() is None
