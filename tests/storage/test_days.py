"""The days of settled invoices, written when an invoice is settled and dropped when it dies."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, move_invoice, resume_invoice
from storage.periods.periods import write_summary
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.totals.days import fill_days, sum_up
from tests.storage.audits import BILLED, CARD, A, B, billed_world, move
from tests.storage.usage import (
    HOUR_US,
    add_account,
    add_instances,
    execute,
    fetch,
    graduated,
    instance,
    may,
    scope,
)

DAYS = """
    SELECT d.line_no, CAST(d.day AS text), d.duration_us, d.quantity_us, d.credits, d.amount
    FROM invoice_day AS d JOIN invoice AS i ON i.id = d.invoice_id WHERE i.key = :key ORDER BY 1, 2
"""
LINES = """
    SELECT l.line_no, l.duration_us, coalesce(l.quantity_us, l.duration_us), l.credits, l.amount
    FROM invoice_line AS l JOIN invoice AS i ON i.id = l.invoice_id WHERE i.key = :key ORDER BY 1
"""
SUMS = """
    SELECT d.line_no, CAST(sum(d.duration_us) AS bigint), sum(d.quantity_us), sum(d.credits),
           CAST(sum(d.amount) AS bigint)
    FROM invoice_day AS d JOIN invoice AS i ON i.id = d.invoice_id WHERE i.key = :key GROUP BY 1 ORDER BY 1
"""
SUMMED = """
    SELECT workspace_class, CAST(day AS text), invoice_days, duration_us, quantity_us, credits, amount
    FROM period_day ORDER BY 1, 2
"""
AGAIN = """
    SELECT l.workspace_class, CAST(d.day AS text), count(*), CAST(sum(d.duration_us) AS bigint), sum(d.quantity_us),
           sum(d.credits), CAST(sum(d.amount) AS bigint)
    FROM invoice_day AS d JOIN invoice_line AS l USING (invoice_id, line_no) GROUP BY 1, 2 ORDER BY 1, 2
"""


async def _rows(db: Database, query: str, **given: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await fetch(db, query, **given)]


async def _summed(db: Database) -> bool:
    """Return whether the sums by period are the sums over all days, once all are summed up."""
    await sum_up(db)
    return await _rows(db, SUMMED) == await _rows(db, AGAIN)


def _shares(whole: int, weights: list[Decimal]) -> list[int]:
    """Share out whole units by weight: the largest remainders get the units that are left, the earlier first."""
    exact = [Fraction(whole) * Fraction(weight) / Fraction(sum(weights)) for weight in weights]
    shares = [int(each) for each in exact]
    order = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], n))
    for n in order[: whole - sum(shares)]:
        shares[n] += 1
    return shares


async def test_a_day_ends_at_midnight_in_utc_and_the_days_are_their_line(db: Database) -> None:
    await add_account(db)
    await add_instances(
        db,
        instance("whole", may(2), may(3)),
        instance("across", may(3.5), may(5.25, us=1), quantity=Decimal("2.5")),
        instance("odd", may(9), may(9, us=7), workspace_class="xl"),
        *(instance(f"short-{n}", may(20 + n), may(20 + n, us=(n + 1) * 7_000_000_001)) for n in range(5)),
    )
    await claim_page(db, scope(), CARD)
    await move(db, A, *BILLED[:2])
    assert await _rows(db, DAYS, key=A) == []
    await move_invoice(db, A, InvoiceState.BILLED, may(33))
    days = await _rows(db, DAYS, key=A)
    assert [row[:4] for row in days if row[1] < "2022-05-10"] == [
        (1, "2022-05-02", 24 * HOUR_US, 24 * HOUR_US),
        (1, "2022-05-03", 12 * HOUR_US, 30 * HOUR_US),
        (1, "2022-05-04", 24 * HOUR_US, 60 * HOUR_US),
        (1, "2022-05-05", 6 * HOUR_US + 1, Decimal("2.5") * (6 * HOUR_US + 1)),
        (3, "2022-05-09", 7, 7),
    ]
    lines = await _rows(db, LINES, key=A)
    assert await _rows(db, SUMS, key=A) == lines
    for number, _, _, credits, amount in lines:
        own = [row for row in days if row[0] == number]
        weights = [Decimal(row[3]) for row in own]
        assert [row[5] for row in own] == _shares(amount, weights)
        assert [int(row[4] * 1_000_000) for row in own] == _shares(int(credits * 1_000_000), weights)
    assert await _summed(db)


async def test_the_amount_of_tiers_is_shared_out_by_credits(db: Database) -> None:
    """2,000 credits are free and the rest graduated: of 7 days, the line of tiers takes money off each."""
    card = graduated()
    await add_account(db)
    await add_instances(db, instance("d", may(2), may(5)), instance("x", may(4), may(8.3, us=11), workspace_class="xl"))
    await claim_page(db, scope(), card)
    await move(db, A, *BILLED)
    lines = await _rows(db, LINES, key=A)
    sums = {row[0]: row for row in await _rows(db, SUMS, key=A)}
    assert [tuple(sums[row[0]]) for row in lines] == lines
    tiers = [row for row in await _rows(db, DAYS, key=A) if row[0] == lines[-1][0]]
    assert lines[-1][4] < 0
    assert [row[1] for row in tiers] == [f"2022-05-0{day}" for day in range(2, 9)]
    credits = [Decimal(hours) for hours in (24, 24, 72, 48, 48, 48)]
    weights = [*(each * HOUR_US for each in credits), 2 * (Decimal("0.3") * 24 * HOUR_US + 11)]
    assert [-row[5] for row in tiers] == _shares(-lines[-1][4], weights)
    assert await _summed(db)


async def test_what_dies_has_no_days_and_is_not_in_the_sums(db: Database) -> None:
    """One was summed up before it is voided, the other was not."""
    await billed_world(db)
    assert await sum_up(db) == 2
    assert await _summed(db)
    assert await move_invoice(db, A, InvoiceState.VOIDED, may(34))
    assert await _rows(db, DAYS, key=A) == []
    assert await _rows(db, DAYS, key=B) != []
    assert await _rows(db, SUMMED) == await _rows(db, AGAIN)
    await claim_page(db, scope(), CARD)
    again = f"{A}/2"
    await move(db, again, *BILLED)
    assert await _rows(db, "SELECT count(*) FROM period_day_pending") == [(1,)]
    assert await move_invoice(db, again, InvoiceState.VOIDED, may(35))
    assert await _rows(db, "SELECT count(*) FROM period_day_pending") == [(0,)]
    assert await move_invoice(db, B, InvoiceState.VOIDED, may(35))
    assert await _rows(db, SUMMED) == []


async def test_days_stay_while_an_invoice_is_blocked_or_collected(db: Database) -> None:
    await billed_world(db)
    days = await _rows(db, DAYS, key=A)
    await block_invoice(db, A, "edited")
    assert await _rows(db, DAYS, key=A) == days
    await resume_invoice(db, A)
    await move_invoice(db, A, InvoiceState.UNCOLLECTIBLE, may(34))
    await move_invoice(db, A, InvoiceState.PAID, may(35))
    assert await _rows(db, DAYS, key=A) == days
    assert await _rows(db, "SELECT count(*) FROM period_day_pending") == [(2,)]


async def test_what_an_earlier_version_left_is_mended(db: Database) -> None:
    """It settled one invoice without days, and voided the other without dropping them."""
    await billed_world(db)
    await sum_up(db)
    days = await _rows(db, DAYS, key=A)
    await execute(db, "DELETE FROM invoice_day WHERE invoice_id = (SELECT id FROM invoice WHERE key = :key)", key=A)
    await execute(db, "UPDATE invoice SET state = 'voided' WHERE key = :key", key=B)
    assert await fill_days(db) == 2
    assert await _rows(db, DAYS, key=A) == days
    assert await _rows(db, DAYS, key=B) == []
    assert await _rows(db, SUMMED) == await _rows(db, AGAIN)
    assert await fill_days(db) == 0


async def test_sums_that_are_right_are_compared_without_a_turn(db: Database) -> None:
    """A void that holds the turn does not wait for an upgrade, nor the upgrade for it; wrong sums are corrected."""
    await billed_world(db)
    await sum_up(db)
    async with db.transaction() as connection:
        await connection.execute(statement("totals/days", "take_turns"))
        await asyncio.wait_for(fill_days(db), 60)
    await execute(db, "UPDATE period_day SET amount = amount + 1")
    await fill_days(db)
    assert await _rows(db, SUMMED) == await _rows(db, AGAIN)


async def test_a_settled_period_is_summed_up(db: Database) -> None:
    await billed_world(db)
    await write_summary(db, "2022-05", {})
    assert await _rows(db, SUMMED) == await _rows(db, AGAIN)
    assert await _rows(db, SUMMED) != []
