from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from storage.claims.claims import Verdict, claim_page, preview_page
from storage.invoices.invoices import load_invoice, move_invoice
from storage.postgres.database import Database
from tests.storage.usage import (
    DAY,
    HOUR_US,
    add_account,
    add_instances,
    cancellation,
    card,
    claimed,
    execute,
    fetch,
    instance,
    may,
    scope,
)


async def test_usage_becomes_an_invoice_with_lines_and_claims(db: Database) -> None:
    await add_account(db, customer="cus_1")
    await add_instances(
        db,
        instance("stopping", may(2), may(3), stopped_time=may(4)),
        instance("stopped", may(2), None, stopped_time=may(3)),
        instance("running", may(31), None, workspace_class="xl"),
        instance("unknown class", may(4), may(5), workspace_class="gpu"),
        instance("no class", may(5), may(6, us=1), workspace_class=None),
        instance("later", may(32), may(33)),
    )
    result = await claim_page(db, scope(), card())
    assert result.keys == ("2022-05/team:a/period",)
    assert (result.below_minimum, result.blocked) == (0, 0)
    record = await load_invoice(db, result.keys[0])
    assert record is not None
    assert (record.state, record.ordinal, record.subject) == (InvoiceState.CLAIMED, 1, "")
    assert (record.cutoff, record.currency, record.stripe_customer_id) == (may(32), "usd", "cus_1")
    lines = [(line.rated.workspace_class, line.rated.duration_us, line.rated.amount) for line in record.lines]
    day = 24 * HOUR_US
    assert lines == [("default", 3 * day + 1, 3 * DAY), ("gpu", day, DAY), ("xl", day, 2 * DAY)]
    assert [line.line_no for line in record.lines] == [1, 2, 3]
    assert [line.rated.rated_as_default for line in record.lines] == [False, True, False]
    assert record.amount == 6 * DAY
    assert result.amounts == {"usd": record.amount}
    assert record.credits == Decimal("8640.000000")
    assert record.rate_card_digest == card().digest
    assert await claimed(db) == [
        ("no class", may(5), may(6, us=1)),
        ("running", may(31), may(32)),
        ("stopped", may(2), may(3)),
        ("stopping", may(2), may(3)),
        ("unknown class", may(4), may(5)),
    ]


async def test_a_second_run_makes_nothing(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    assert len((await claim_page(db, scope(), card())).keys) == 1
    await add_instances(db, instance("late", may(3), may(4)))
    again = await claim_page(db, scope(), card())
    assert (again.keys, again.amounts) == ((), {})
    assert [row[0] for row in await claimed(db)] == ["i"]


async def test_more_lines_than_stripe_takes_are_all_kept(db: Database) -> None:
    await add_account(db)
    await add_instances(
        db, *(instance(f"{number:03d}", may(2), may(3), workspace_class=f"c{number}") for number in range(300))
    )
    (key,) = (await claim_page(db, scope(), card())).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert len(record.lines) == len(await claimed(db)) == 300


async def test_cancelled_and_subscribed_again_three_times(db: Database) -> None:
    """The seed scenario: each cancellation claims its own window, the period's run claims the rest, nobody the gaps."""
    windows = [(may(2), may(6)), (may(8), may(12)), (may(14), may(18)), (may(20), None)]
    await add_account(db, "team:a", *windows)
    await add_instances(
        db,
        instance("always", may(1), None),
        instance("gap", may(6, us=5), may(7)),
        instance("short", may(9), may(9.5)),
    )
    keys: list[str] = []
    for number, (_, ended) in enumerate(windows[:3]):
        assert ended is not None
        page = await claim_page(db, cancellation(f"sub_{number}", ended), card())
        assert (await claim_page(db, cancellation(f"sub_{number}", ended), card())).keys == ()
        keys += page.keys
    keys += (await claim_page(db, scope(), card())).keys
    assert keys == [
        "2022-05/team:a/cancellation/sub_0",
        "2022-05/team:a/cancellation/sub_1",
        "2022-05/team:a/cancellation/sub_2",
        "2022-05/team:a/period",
    ]
    amounts = [record.amount for key in keys if (record := await load_invoice(db, key))]
    assert amounts == [4 * DAY, 4 * DAY + DAY // 2, 4 * DAY, 12 * DAY]
    assert [(start, end) for name, start, end in await claimed(db) if name == "always"] == [
        (start, end or may(32)) for start, end in windows
    ]
    assert "gap" not in {name for name, _, _ in await claimed(db)}


async def test_bill_after_of_the_account_and_of_the_deployment(db: Database) -> None:
    await add_account(db, "team:a", bill_after=may(3))
    await add_account(db, "team:b")
    await add_instances(
        db,
        instance("a", may(2), may(6)),
        instance("b", may(2), may(6), attribution_id="team:b"),
        instance("past", may(1), may(2), attribution_id="team:b"),
    )
    limited = scope(bill_after=may(2, us=7))
    assert len(await preview_page(db, scope(bill_after=may(50)), card())) == 0
    await claim_page(db, limited, card())
    assert await claimed(db) == [("a", may(3), may(6)), ("b", may(2, us=7), may(6))]


async def test_one_account_that_cannot_be_priced_stops_no_other(db: Database) -> None:
    await add_account(db, "team:a", currency="eur")
    await add_account(db, "team:b")
    await add_account(db, "team:c", currency="jpy")
    for name in "abc":
        await add_instances(db, instance(name, may(2), may(3), attribution_id=f"team:{name}"))
    previews = await preview_page(db, scope(), card())
    assert [each.verdict for each in previews] == [Verdict.BLOCKED, Verdict.INVOICE, Verdict.INVOICE]
    assert "price_per_credit in eur" in previews[0].reason
    assert (previews[0].priced.lines, previews[0].duration_us) == ((), 24 * HOUR_US)
    assert await claimed(db) == []
    result = await claim_page(db, scope(), card())
    assert result.blocked == 1
    assert result.amounts == {"usd": DAY, "jpy": DAY}
    ((account, verdict, reason),) = await fetch(db, "SELECT attribution_id, outcome, reason FROM account_outcome")
    assert (account, verdict, reason) == ("team:a", "blocked", previews[0].reason)
    fixed = card(price_per_credit={"usd": "0.01", "jpy": "1", "eur": "0.01"})
    assert (await claim_page(db, scope(), fixed)).keys == ("2022-05/team:a/period",)


async def test_an_amount_beyond_a_bigint_is_blocked(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    dear = card(credits_per_minute={"default": "999999999"}, price_per_credit={"usd": "999999999"})
    assert (await claim_page(db, scope(), dear)).blocked == 1


async def test_a_rate_change_splits_an_instance(db: Database) -> None:
    base = {"price_per_credit": {"usd": "0.01"}}
    split = parse_rate_card(
        {
            "version": [
                {"effective_from": may(3), "credits_per_minute": {"default": "1"}, **base},
                {"effective_from": may(4), "credits_per_minute": {"default": "2"}, **base},
            ]
        }
    )
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(5)))
    await claim_page(db, scope(), split)
    assert await claimed(db) == [("i", may(3), may(4)), ("i", may(4), may(5))]
    record = await load_invoice(db, "2022-05/team:a/period")
    assert record is not None
    assert [(line.rated.rate_from, line.rated.amount) for line in record.lines] == [
        (may(3), DAY),
        (may(4), 2 * DAY),
    ]


async def test_a_dead_invoice_releases_its_claims_and_a_new_one_follows(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    (key,) = (await claim_page(db, scope(), card())).keys
    assert await move_invoice(db, key, InvoiceState.DELETED, may(33))
    assert await claimed(db) == []
    history = await fetch(db, "SELECT instance_id, lower(during), upper(during), reason FROM claim_history")
    assert [tuple(row) for row in history] == [("i", may(2), may(3), "deleted")]
    for ordinal in (2, 3):
        (key,) = (await claim_page(db, scope(), card())).keys
        assert key == f"2022-05/team:a/period/{ordinal}"
        assert len(await claimed(db)) == 1
        await move_invoice(db, key, InvoiceState.DELETED, may(33))


async def test_a_page_is_bounded_and_in_byte_order(db: Database) -> None:
    for name in ("team:A", "team:B", "team:a", "user:a", "team:_", "team:a-b"):
        if name != "team:_":
            await add_account(db, name)
            await add_instances(db, instance(name, may(2), may(3), attribution_id=name))
    page = await claim_page(db, scope(after="team:A", through="team:a"), card())
    assert page.keys == ("2022-05/team:B/period", "2022-05/team:a/period")
    one = await claim_page(db, scope(attribution_id="user:a"), card())
    assert one.keys == ("2022-05/user:a/period",)
    rest = await claim_page(db, scope(), card())
    assert rest.keys == ("2022-05/team:A/period", "2022-05/team:a-b/period")
    assert (await claim_page(db, scope(attribution_id="team:nobody"), card())).keys == ()


async def test_a_preview_agrees_with_the_claim_and_changes_nothing(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(-3), may(3)), instance("x", may(3), None, workspace_class="xl"))
    running = scope(cutoff=may(10))
    before = await preview_page(db, running, card())
    assert await preview_page(db, running, card()) == before
    assert await fetch(db, "SELECT 1 FROM invoice UNION ALL SELECT 1 FROM account_outcome") == []
    (key,) = (await claim_page(db, running, card())).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert tuple(line.rated for line in record.lines) == before[0].priced.lines
    assert tuple(line.carried_us for line in record.lines) == before[0].priced.carried_us
    assert (record.key, record.amount) == (before[0].priced.key, before[0].priced.amount)
    assert await preview_page(db, running, card()) == []


@pytest.mark.parametrize(
    "times",
    [
        {"creation_time": may(9)},
        {"started_time": None},
        {"stopping_time": may(1)},
        {"stopping_time": None, "stopped_time": may(1)},
        {"stopping_time": may(2)},
        {"attribution_id": None},
        {"attribution_id": "team:nobody"},
    ],
)
async def test_what_is_invalid_or_empty_is_not_billed(db: Database, times: dict[str, Any]) -> None:
    await add_account(db)
    await add_instances(db, replace(instance("i", may(2), may(3)), **times))
    assert await claim_page(db, scope(), card()) == await claim_page(db, scope(), card())
    assert await claimed(db) == []


async def test_no_window_no_charge_and_never_beyond_its_end(db: Database) -> None:
    await add_account(db, "team:a", (may(5), may(6)))
    await add_account(db, "team:b")
    await execute(db, "DELETE FROM subscription WHERE attribution_id = 'team:b'")
    await add_instances(db, instance("a", may(2), None), instance("b", may(2), None, attribution_id="team:b"))
    await claim_page(db, scope(cutoff=datetime(2030, 1, 1, tzinfo=UTC)), card())
    assert await claimed(db) == [("a", may(5), may(6))]
