"""Pages of invoices: every invoice of a filter exactly once, in order, with the totals of the filter."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import text

from billing.invoice.states import DEAD, InvoiceState
from storage.browsing.invoices import (
    InvoiceFilter,
    InvoiceOrder,
    InvoiceRow,
    browse_invoices,
    every_invoice,
    invoice_totals,
)
from storage.postgres.database import Database

_WORLD = """
INSERT INTO account (attribution_id, name, currency, stripe_customer_id)
SELECT 'team:' || n, CASE n WHEN 1 THEN 'Acme GmbH' END, 'usd', 'cus_' || n FROM generate_series(1, 5) AS n;
INSERT INTO invoice (key, attribution_id, billing_period, reason, state, cutoff, currency, amount, credits,
                     rate_card_digest, stripe_invoice_id)
SELECT month || '/team:' || n || '/period', 'team:' || n, month, 'period',
       CASE WHEN n = 5 THEN 'voided' ELSE 'paid' END, '2022-06-01Z', CASE WHEN n = 4 THEN 'jpy' ELSE 'usd' END,
       100 * (n % 3), 1, '', 'in_' || month || n
FROM generate_series(1, 5) AS n CROSS JOIN unnest(ARRAY['2022-04', '2022-05']) AS month;
INSERT INTO invoice_line (invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,
                          price_per_credit, duration_us, carried_us, credits, amount)
SELECT id, 1, 'default', '2022-01-01Z', 1, false, 1, 1, 0, 1, amount FROM invoice;
INSERT INTO claim (invoice_id, line_no, instance_id, during)
SELECT id, 1, 'i-1', '[2022-05-01Z, 2022-05-02Z)' FROM invoice WHERE key = '2022-05/team:2/period';
INSERT INTO credit_note (key, invoice_id, kind, amount, currency, settle_to, reason, state, stripe_credit_note_id)
SELECT key || '/credit/1', id, 'amount', 5, currency, 'balance', 'x', 'issued', 'cn_' || id
FROM invoice WHERE attribution_id IN ('team:1', 'team:5');
UPDATE invoice SET stripe_number = 'ACME-000' || right(attribution_id, 1) WHERE billing_period = '2022-05';
INSERT INTO refund (stripe_refund_id, invoice_id, amount, currency, status, reason, created_at)
SELECT 're_1', id, 5, currency, 'succeeded', '', now() FROM invoice WHERE key = '2022-05/team:3/period';
INSERT INTO dispute (stripe_dispute_id, invoice_id, amount, currency, reason, status, opened_at)
SELECT 'dp_1', id, 5, currency, 'general', 'won', now() FROM invoice WHERE key = '2022-05/team:4/period';
"""


@pytest.fixture
async def world(db: Database) -> Database:
    async with db.transaction() as connection:
        for each in _WORLD.strip().split(";\n"):
            await connection.execute(text(each.removesuffix(";")))
    return db


def _value(row: InvoiceRow, order: InvoiceOrder) -> tuple[object, ...]:
    return {
        InvoiceOrder.KEY: (row.key,),
        InvoiceOrder.ACCOUNT: (row.attribution_id, row.id),
        InvoiceOrder.DATE: (row.id,),
        InvoiceOrder.AMOUNT: (row.currency, row.amount, row.id),
    }[order]


@pytest.mark.parametrize("order", InvoiceOrder)
@pytest.mark.parametrize("down", [True, False])
async def test_pages_have_every_invoice_once_and_in_order(world: Database, order: InvoiceOrder, down: bool) -> None:
    found: list[InvoiceRow] = []
    while page := await browse_invoices(
        world, InvoiceFilter(), order, down=down, after=found[-1].place(order) if found else None, limit=3
    ):
        found += page
        assert len(found) <= 10
    values = [_value(row, order) for row in found]
    assert len(set(values)) == len(values) == 10
    assert all((a > b) is down for a, b in pairwise(values))
    assert [row async for row in every_invoice(world, InvoiceFilter(), order, down=down)] == found


@pytest.mark.parametrize(
    ("wanted", "teams"),
    [
        (InvoiceFilter(period="2022-05"), "12345"),
        (InvoiceFilter(period="2022-05", states=(InvoiceState.VOIDED,)), "5"),
        (InvoiceFilter(period="2022-05", attribution_id="team:3"), "3"),
        (InvoiceFilter(period="2022-05", currency="jpy"), "4"),
        (InvoiceFilter(period="2022-05", least=Decimal("1.5"), most=Decimal(2)), "25"),
        (InvoiceFilter(period="2022-05", least=Decimal(100)), "4"),  # yen have no decimals
        (InvoiceFilter(period="2022-05", text="acme"), "1"),
        (InvoiceFilter(text="2022-05/team:3"), "3"),
        (InvoiceFilter(text="in_2022-054"), "4"),
        (InvoiceFilter(text="cus_2", period="2022-05"), "2"),
        (InvoiceFilter(text="acme-0002"), "2"),  # the invoice's number
        (InvoiceFilter(text="re_1"), "3"),
        (InvoiceFilter(text="dp_1"), "4"),
        (InvoiceFilter(text="i-1"), "2"),
        (InvoiceFilter(text="nothing has this"), ""),
    ],
)
async def test_a_filter_lets_through_what_it_says(world: Database, wanted: InvoiceFilter, teams: str) -> None:
    rows = await browse_invoices(world, wanted, InvoiceOrder.ACCOUNT, down=False, limit=100)
    assert "".join(row.attribution_id[-1] for row in rows) == teams


@pytest.mark.parametrize("wanted", [InvoiceFilter(), InvoiceFilter(period="2022-05"), InvoiceFilter(currency="jpy")])
async def test_totals_are_the_sums_of_the_rows(world: Database, wanted: InvoiceFilter) -> None:
    rows = [row async for row in every_invoice(world, wanted)]
    totals = await invoice_totals(world, wanted)
    assert {each.currency for each in totals} == {row.currency for row in rows}
    for total in totals:
        own = [row for row in rows if row.currency == total.currency]
        assert total.invoices == len(own)
        assert total.amount == sum(row.amount for row in own if row.state not in DEAD)
        assert total.net == sum(row.net for row in own)
        assert all(row.net == 0 for row in own if row.state in DEAD)
