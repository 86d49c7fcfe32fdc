"""Report = claims = our lines = Stripe's lines: each comparison by itself notices what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import settings as product_settings
from activities.postgres.invoices import InvoiceActivities
from activities.postgres.settlement import states_to_reach
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from contracts.messages.invoices import (
    DraftMade,
    InvoiceRef,
    SettleInvoice,
    StripeInvoiceLine,
    StripeInvoiceOrder,
    StripeInvoiceSnapshot,
)
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from storage.reports.rebuilding import report_content
from storage.reports.store import ReportStore
from tests.storage.usage import add_account, add_instances, card, execute, instance, may, scope

KEY = "2022-05/team:a/period"
S = InvoiceState


class Books:
    """One invoice with two lines, published and drafted, and what Stripe has of it."""

    def __init__(self, db: Database, reports: ReportStore, folder: Path) -> None:
        self.db, self.reports, self.env = db, reports, ActivityEnvironment()
        loaded = product_settings.load(database_url="postgresql://u@h/d", report_store_url=folder.as_uri())
        self.activities = InvoiceActivities(db, reports, loaded)
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
        draft = DraftMade(invoice_key=KEY, stripe_invoice_id="in_1", stripe_customer_id="cus_1")
        for _ in range(2):
            await self.env.run(self.activities.record_draft, draft)
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

    async def settle(self, **changes: Any) -> InvoiceState:
        settle = SettleInvoice(invoice_key=KEY, snapshot=self.snapshot.model_copy(update=changes))
        loaded = await self.env.run(self.activities.settle, settle)
        assert loaded.invoice is not None
        return InvoiceState(loaded.invoice.state)

    async def refuses(self, what: str, **changes: Any) -> None:
        with pytest.raises(ApplicationError, match=what) as error:
            await self.settle(**changes)
        assert error.value.non_retryable
        record = await load_invoice(self.db, KEY)
        assert record is not None
        assert record.state is S.DRAFT, "nothing is billed"


@pytest.fixture
async def books(db: Database, tmp_path: Path) -> Books:
    (tmp_path / "reports").mkdir()
    found = Books(db, ReportStore((tmp_path / "reports").as_uri()), tmp_path / "reports")
    await found.prepare()
    return found


async def test_books_that_agree_are_billed_once_however_often_they_are_settled(books: Books) -> None:
    assert [await books.settle() for _ in range(3)] == [S.BILLED] * 3
    record = await load_invoice(books.db, KEY)
    assert record is not None
    assert (record.finalized_at, record.amount) == (may(33), 2880 + 5760)
    assert await books.settle(status="paid", paid_at=may(34)) is S.PAID
    assert await books.settle(status="open") is S.PAID, "older news"


def _lines(books: Books) -> list[StripeInvoiceLine]:
    return list(books.snapshot.lines)


STRIPE: dict[str, Callable[[Books], dict[str, Any]]] = {
    **{
        f"metadata {key} of in_1": lambda books, key=key: {"metadata": {**books.snapshot.metadata, key: "other"}}  # type: ignore[misc]
        for key in ("perdure_invoice", "report_id", "attribution_id", "billing_period")
    },
    "currency of in_1": lambda _: {"currency": "eur"},
    "customer of in_1": lambda _: {"stripe_customer_id": "cus_2"},
    "subtotal, in minor units, and lines of in_1": lambda books: {"subtotal": books.snapshot.subtotal + 1},
}
LINES: dict[str, Callable[[list[StripeInvoiceLine]], list[StripeInvoiceLine]]] = {
    "missing": lambda lines: lines[:1],
    "twice": lambda lines: [*lines, lines[0]],
    "added by hand": lambda lines: [*lines, StripeInvoiceLine(line_id="", amount=0, currency="usd")],
    "another amount": lambda lines: [lines[0], lines[1].model_copy(update={"amount": lines[1].amount + 1})],
    "amounts exchanged": lambda lines: [
        lines[0].model_copy(update={"amount": lines[1].amount}),
        lines[1].model_copy(update={"amount": lines[0].amount}),
    ],
    "another currency": lambda lines: [lines[0], lines[1].model_copy(update={"currency": "eur"})],
}


@pytest.mark.parametrize("what", STRIPE)
async def test_stripe_says_something_else(books: Books, what: str) -> None:
    await books.refuses(what, **STRIPE[what](books))


@pytest.mark.parametrize("how", LINES)
async def test_stripes_lines_are_others(books: Books, how: str) -> None:
    await books.refuses("lines of in_1", lines=LINES[how](_lines(books)))


# What was changed in Postgres after the report was published: the report says what was.
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
    """Its digest is right, its figures are right: it says whose it is."""
    other = await _published_for(books, "2022-05/team:a/period/2")
    await execute(books.db, "UPDATE invoice SET report_id = :report", report=other)
    await books.refuses("invoice_key of the report", metadata={**books.snapshot.metadata, "report_id": other})


@pytest.mark.parametrize(("field", "value"), [("amount", 8641), ("currency", "jpy")])
async def test_an_amount_or_currency_that_only_the_report_lacks(books: Books, field: str, value: object) -> None:
    """Ours and Stripe's were changed alike: the report still says what was rated."""
    column = {"amount": "amount", "currency": "currency"}[field]
    await execute(books.db, f"UPDATE invoice SET {column} = :value", value=value)
    changes: dict[str, Any] = (
        {"subtotal": value}
        if field == "amount"
        else {
            "currency": value,
            "lines": [line.model_copy(update={"currency": value}) for line in _lines(books)],
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
    assert await books.settle(status="void", voided_at=may(34)) is S.VOIDED
    assert await books.settle(status="open") is S.VOIDED
    assert (await claim_page(books.db, scope(), card())).keys == (f"{KEY}/2",)


@pytest.fixture
async def record(books: Books) -> InvoiceRecord:
    found = await load_invoice(books.db, KEY)
    assert found is not None
    return found


async def test_each_status_leads_where_it_should(record: InvoiceRecord) -> None:
    def reached(state: InvoiceState, status: str) -> list[InvoiceState]:
        snapshot = StripeInvoiceSnapshot(stripe_invoice_id="in_1", status=status)
        return [to for to, _ in states_to_reach(replace(record, state=state), snapshot)]

    for state in (S.CLAIMED, S.DRAFT, S.FINALIZED):
        assert reached(state, "draft") == []
        assert reached(state, "open") == [S.FINALIZED, S.BILLED]
        assert reached(state, "paid") == [S.FINALIZED, S.BILLED, S.PAID]
        assert reached(state, "uncollectible") == [S.FINALIZED, S.BILLED, S.UNCOLLECTIBLE]
        assert reached(state, "void") == [S.VOIDED]
        assert reached(state, "deleted") == [S.DELETED]
    assert reached(S.BILLED, "open") == []
    assert reached(S.BILLED, "paid") == [S.PAID]
    assert reached(S.UNCOLLECTIBLE, "paid") == [S.PAID]
    for state in (*DEAD, S.PAID):
        assert [reached(state, status) for status in ("open", "paid", "void", "deleted")] == [[]] * 4
    # Blocked: it waits for a person, unless it is gone.
    assert [reached(S.BLOCKED, status) for status in ("open", "paid")] == [[], []]
    assert reached(S.BLOCKED, "void") == [S.VOIDED]
