"""The views for spreadsheets: exact, in major units, and with sums that agree."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.money import exponent, to_major
from storage.postgres.database import Database
from tests.storage.audits import A, B
from tests.storage.settled_world import settled_world
from tests.storage.usage import execute, fetch

CURRENCIES = "usd eur jpy krw kwd bhd isk ugx clp jod xpf huf twd vnd tnd omr".split()


async def _rows(db: Database, query: str, **given: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await fetch(db, query, **given)]


async def test_major_units_are_those_of_the_core(db: Database) -> None:
    query = "SELECT c, currency_decimals(c), major_units(1234567, c) FROM unnest(CAST(:all AS text[])) AS c"
    rows = await _rows(db, query, all=CURRENCIES)
    assert rows == [(each, exponent(each), to_major(1_234_567, each)) for each in CURRENCIES]


async def test_the_revenue_is_the_net_of_settled_invoices(db: Database) -> None:
    await settled_world(db)
    revenue = await _rows(db, "SELECT invoice_month, currency, sum(net) FROM v_revenue GROUP BY 1, 2 ORDER BY 1, 2")
    net = await _rows(db, "SELECT period, currency, sum(net) FROM v_invoice WHERE settled GROUP BY 1, 2 ORDER BY 1, 2")
    assert revenue == net
    assert [row[:2] for row in revenue] == [("2022-05", "JPY"), ("2022-05", "USD"), ("2022-06", "USD")]
    days = await _rows(db, "SELECT period, currency, sum(amount) FROM v_usage_daily GROUP BY 1, 2 ORDER BY 1, 2")
    lines = await _rows(
        db,
        "SELECT period, currency, sum(amount) FROM v_invoice_line WHERE state = 'billed' GROUP BY 1, 2 ORDER BY 1, 2",
    )
    assert days == lines
    [(name, state, amount, left)] = await _rows(
        db, "SELECT account_name, state, amount, net FROM v_invoice WHERE invoice_key = :key", key=B
    )
    assert (name, state, left) == (None, "voided", 0)
    assert amount > 0


async def test_an_accepted_edit_is_in_the_revenue_and_in_the_net(db: Database) -> None:
    """In a row without a month and a class: it belongs to no usage. Of a dead invoice, it counts nothing."""
    await settled_world(db)
    net = "SELECT (SELECT sum(net) FROM v_revenue WHERE currency = 'USD'), sum(net) FROM v_invoice WHERE settled"
    [(before, _)] = await _rows(db, f"{net} AND currency = 'USD'")
    edit = "UPDATE invoice SET accepted_subtotal = amount - 2000, accepted_digest = 'x' WHERE key IN (:a, :b)"
    await execute(db, edit, a=A, b=B)
    assert await _rows(db, f"{net} AND currency = 'USD'") == [(before - 20, before - 20)]
    [(amount,)] = await _rows(
        db, "SELECT amount FROM v_revenue WHERE account = 'team:a' AND usage_month IS NULL AND workspace_class IS NULL"
    )
    assert amount == -20


async def test_a_credit_has_the_month_and_class_that_are_known(db: Database) -> None:
    """A credit has the class of its lines, and the month of their usage; of a line that spans months, no month."""
    credits = {name: to_major(amount, "usd") for name, amount in (await settled_world(db)).items()}
    rows = await _rows(
        db,
        "SELECT usage_month, workspace_class, credited, amount FROM v_revenue"
        " WHERE account = 'team:a' AND invoice_month = '2022-05' AND (credited <> 0 OR usage_month = '2022-04')"
        " ORDER BY 1, 2",
    )
    april = next(row[3] for row in rows if row[0] == "2022-04")
    assert april == Decimal("12.96")  # 36 hours of 90, before May
    of_may, spanning = Decimal("0.21"), Decimal("0.04")
    assert of_may + spanning == credits["amount"]
    assert [row[:3] for row in rows] == [
        ("2022-04", "default", 0),
        ("2022-05", "default", of_may),
        ("2022-05", "xl", credits["line"]),
        (None, "default", spanning),
    ]
    [(credited,)] = await _rows(db, "SELECT credited FROM v_invoice WHERE invoice_key = :key", key=A)
    assert credited == sum(credits.values())
