"""Cycles of subscriptions: what is stored of them, and where the usage that they bill counts."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.accounts.cycles import Cycle
from billing.assessment.assessment import ClaimScope
from billing.audit.checks import Check
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, ChargeOn, Policy
from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from storage.accounts.cycles import end_cycles, last_cycle, store_billed_cycle, store_cycle
from storage.accounts.policies import write_policy
from storage.claims.amendment import amend_invoice
from storage.claims.claims import claim_page, preview_page
from storage.invoices.invoices import load_invoice, move_invoice
from storage.postgres.database import Database
from tests.storage.audits import audit, reported
from tests.storage.usage import (
    AS_DEFAULT,
    DAY,
    HOUR_US,
    add_account,
    add_instances,
    card,
    execute,
    fetch,
    graduated,
    instance,
    june,
    may,
    put_window,
    scope,
)

SUB = "sub_1"
Span = tuple[datetime, datetime]


async def stored(db: Database) -> list[Span]:
    rows = await fetch(db, "SELECT lower(during) AS a, upper(during) AS b FROM subscription_cycle ORDER BY during")
    return [(row.a, row.b) for row in rows]


async def places(db: Database, key: str) -> dict[str, Decimal]:
    query = (
        "SELECT m.month, sum(m.credits) AS credits FROM invoice_month m JOIN invoice i ON i.id = m.invoice_id "
        "WHERE key = :key GROUP BY m.month"
    )
    return {row.month: row.credits for row in await fetch(db, query, key=key)}


async def subscriber(db: Database, *cycles: Span, name: str = "team:a", **policy: Any) -> None:
    """Add an account whose subscription, since April, charges its usage on its own invoices."""
    await add_account(db, name, (may(-29), None))
    await put_window(db, name, SUB, may(-29), None)
    await write_policy(db, name, AccountPolicy(**{"charge_on": ChargeOn.SUBSCRIPTION, **policy}))
    for start, end in cycles:
        await store_cycle(db, name, SUB, Cycle(start, end))


def draft(start: datetime, end: datetime, name: str = "in_1", **changes: Any) -> ClaimScope:
    """The claim for the subscription's draft at the end of a cycle."""
    period = f"{end - timedelta(microseconds=1):%Y-%m}"
    given = {"period": period, "reason": InvoiceReason.SUBSCRIPTION, "subject": name, "stripe_invoice_id": name}
    return scope(**{**given, "period_start": start, "cutoff": end, "attribution_id": "team:a", **changes})


async def test_cycles_are_stored_once_and_one_that_begins_within_another_ends_it(db: Database) -> None:
    await subscriber(db)
    for _ in range(2):
        await store_cycle(db, "team:a", SUB, Cycle(may(10), may(41)))
    await store_cycle(db, "team:a", SUB, Cycle(may(41), may(71)))
    assert await stored(db) == [(may(10), may(41)), (may(41), may(71))]
    await store_cycle(db, "team:a", SUB, Cycle(may(50), may(81)))  # the billing anchor was moved to day 50
    assert await stored(db) == [(may(10), may(41)), (may(41), may(50)), (may(50), may(81))]
    await store_cycle(db, "team:a", SUB, Cycle(may(50), may(60)))  # a cancellation is scheduled
    assert (await stored(db))[-1] == (may(50), may(60))
    for _ in range(2):
        await end_cycles(db, SUB, may(45))
    assert await stored(db) == [(may(10), may(41)), (may(41), may(45))]


async def test_an_invoice_does_not_change_a_cycle_that_the_subscription_announced(db: Database) -> None:
    await subscriber(db, (may(10), may(41)))
    await store_billed_cycle(db, "team:a", SUB, Cycle(may(1), may(41)))
    assert await stored(db) == [(may(10), may(41))]
    await store_billed_cycle(db, "team:a", SUB, Cycle(may(41), may(71)))
    assert await stored(db) == [(may(10), may(41)), (may(41), may(71))]


async def test_the_last_cycle_is_the_one_before_the_cutoff(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), (may(41), may(71)))
    assert await last_cycle(db, "team:a", SUB, may(41)) == Cycle(may(10), may(41))
    assert await last_cycle(db, "team:a", SUB, may(41, us=1)) == Cycle(may(41), may(71))
    assert await last_cycle(db, "team:a", None, may(20)) == Cycle(may(10), may(41))
    assert await last_cycle(db, "team:a", "sub_2", may(20)) is None
    assert await last_cycle(db, "team:a", SUB, may(10)) is None


async def test_included_credits_count_once_for_each_cycle(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), (may(41), may(71)))
    await add_instances(db, instance("a", may(30), may(42)))
    (first,) = (await claim_page(db, draft(may(10), may(41)), graduated())).keys
    # 11 days of the first cycle, and not 2 of May and 9 of June: 2,000 credits are free once.
    assert await places(db, first) == {"2022-05-10": Decimal(11 * DAY)}
    record = await load_invoice(db, first)
    assert record is not None
    assert record.amount == 1000 + (11 * DAY - 3000) // 2
    assert (record.service_start, sum(line.carried_us for line in record.lines)) == (may(10), 0)
    (second,) = (await claim_page(db, draft(may(41), may(71), "in_2"), graduated("400"))).keys
    assert await places(db, second) == {"2022-06-10": Decimal(DAY)}
    assert reported((await audit(db, Check.LINES_AND_INVOICES, rate_card=graduated()))[1]) == []
    assert reported((await audit(db, Check.CLAIMS_AND_LINES, rate_card=graduated()))[1]) == []


async def test_the_included_credits_are_those_in_force_when_the_cycle_starts(db: Database) -> None:
    await subscriber(db, (may(10), may(41)))
    await add_instances(db, instance("a", may(12), may(13)))
    first = {"credits_per_minute": {"default": "1"}, "price_per_credit": {"usd": "0.01"}}
    rates = [(may(-120), "1400"), (may(5), "1000"), (may(11), "0")]
    versions = [{**first, "effective_from": start, "included_credits": free} for start, free in rates]
    (key,) = (await claim_page(db, draft(may(10), may(41)), parse_rate_card({"version": versions}))).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert record.amount == DAY - 1000


async def test_what_lies_before_the_cycle_is_carried_and_counts_in_its_month(db: Database) -> None:
    await subscriber(db, (may(10), may(41)))
    await add_instances(db, instance("before", may(8), may(9)), instance("across", may(9.5), may(10.5)))
    (key,) = (await claim_page(db, draft(may(10), may(41)), graduated("0"))).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert sum(line.carried_us for line in record.lines) == 36 * HOUR_US
    assert await places(db, key) == {"2022-05": Decimal(DAY + DAY // 2), "2022-05-10": Decimal(DAY // 2)}
    assert reported((await audit(db, Check.CLAIMS_AND_LINES, rate_card=graduated("0")))[1]) == []


async def test_the_audit_counts_what_lies_before_the_cycle(db: Database) -> None:
    await subscriber(db, (may(10), may(41)))
    await add_instances(db, instance("across", may(9.5), may(10.5)))
    (key,) = (await claim_page(db, draft(may(10), may(41)), card())).keys
    assert reported((await audit(db, Check.CLAIMS_AND_LINES, rate_card=card()))[1]) == []
    await execute(db, "UPDATE invoice SET service_start = :start", start=may(10.25))
    found = reported((await audit(db, Check.CLAIMS_AND_LINES, rate_card=card()))[1])
    assert found == [("carried_differs_from_claims", "", key)]


async def test_weekly_cycles_share_the_months_credits(db: Database) -> None:
    await subscriber(db, (may(2), may(9)), (may(9), may(16)))
    await add_instances(db, instance("a", may(3), may(5)), instance("b", may(10), may(11)))
    (first,) = (await claim_page(db, draft(may(2), may(9)), graduated())).keys
    (second,) = (await claim_page(db, draft(may(9), may(16), "in_2"), graduated())).keys
    assert [await places(db, key) for key in (first, second)] == [
        {"2022-05": Decimal(2 * DAY)},
        {"2022-05": Decimal(DAY)},
    ]
    found = [await load_invoice(db, key) for key in (first, second)]
    assert [record.amount for record in found if record] == [880, 120 + 660]


async def test_accounts_with_invoices_of_their_own_are_priced_by_month(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), charge_on=ChargeOn.OWN)
    await add_instances(db, instance("a", may(30), may(33)))
    (key,) = (await claim_page(db, june(), graduated("0"))).keys
    assert await places(db, key) == {"2022-05": Decimal(2 * DAY), "2022-06": Decimal(DAY)}


async def test_the_deployments_charge_on_counts_where_an_account_has_none(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), charge_on=None)
    await add_instances(db, instance("a", may(30), may(33)))
    policy = Policy(charge_on=ChargeOn.SUBSCRIPTION, unknown_class=AS_DEFAULT.unknown_class)
    (preview,) = await preview_page(db, draft(may(10), may(41), policy=policy), graduated("0"))
    assert list(preview.priced.months) == ["2022-05-10"]


async def test_a_canceled_cycle_that_is_short_counts_in_its_months(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), (may(41), may(71)))
    await end_cycles(db, SUB, may(45))
    await add_instances(db, instance("a", may(40), may(42)))
    final = draft(may(41), may(45), reason=InvoiceReason.CANCELLATION, subject=SUB, stripe_invoice_id=None)
    (key,) = (await claim_page(db, final, graduated("0"))).keys
    assert await places(db, key) == {"2022-05-10": Decimal(DAY), "2022-06": Decimal(DAY)}


async def test_places_that_exist_are_not_moved_and_a_void_frees_those_of_the_cycle(db: Database) -> None:
    await subscriber(db)
    await add_instances(db, instance("a", may(12), may(13)), instance("b", may(20), may(21)))
    early = draft(may(1), may(15), reason=InvoiceReason.CANCELLATION, subject="sub_0", stripe_invoice_id=None)
    (before,) = (await claim_page(db, early, graduated())).keys or ("",)
    assert before == ""  # 1,440 of 2,000 credits: nothing to bill, no places
    (before,) = (await claim_page(db, early, graduated("0"))).keys
    await store_cycle(db, "team:a", SUB, Cycle(may(10), may(41)))
    (key,) = (await claim_page(db, draft(may(10), may(41)), graduated("0"))).keys
    assert [await places(db, name) for name in (before, key)] == [
        {"2022-05": Decimal(DAY)},
        {"2022-05-10": Decimal(DAY)},
    ]
    await move_invoice(db, key, InvoiceState.DELETED, may(42))
    (again,) = (await claim_page(db, draft(may(10), may(41), "in_2"), graduated("0"))).keys
    rows = await fetch(
        db, "SELECT position FROM invoice_month m JOIN invoice i ON i.id = m.invoice_id WHERE i.key = :key", key=again
    )
    assert [row.position for row in rows] == [0]


async def test_late_usage_is_added_to_the_cycle_that_the_draft_bills(db: Database) -> None:
    await subscriber(db, (may(10), may(41)), finalization="approval")
    await add_instances(db, instance("a", may(12), may(13)))
    (key,) = (await claim_page(db, draft(may(10), may(41)), graduated("0"))).keys
    await move_invoice(db, key, InvoiceState.DRAFT, may(41))
    await add_instances(db, instance("late", may(9), may(10)), instance("b", may(40), may(41)))
    assert await amend_invoice(db, key, draft(may(10), may(41)), graduated("0"))
    assert await places(db, key) == {"2022-05": Decimal(DAY), "2022-05-10": Decimal(2 * DAY)}
    record = await load_invoice(db, key)
    assert record is not None
    assert sum(line.carried_us for line in record.lines) == 24 * HOUR_US


@pytest.mark.parametrize(
    ("cycles", "billed"),
    [
        ([], False),
        ([(may(1), may(32))], False),
        ([(may(1), may(8))], False),
        ([(may(1), may(366))], True),
        ([(may(1), may(93))], True),
        ([(may(-60), may(1)), (may(1), may(32))], False),  # it was quarterly, and is monthly now
        ([(may(-29), may(1)), (may(1), may(366))], True),
    ],
)
async def test_only_usage_of_a_long_cycle_is_billed_by_the_periods_run(
    db: Database, cycles: list[Span], billed: bool
) -> None:
    await subscriber(db, *cycles)
    await add_instances(db, instance("a", may(12), may(13)))
    assert (await claim_page(db, scope(), card())).keys == (("2022-05/team:a/period",) if billed else ())


async def test_the_audit_finds_usage_of_a_long_cycle_that_no_run_has_billed(db: Database) -> None:
    await subscriber(db, (may(1), may(366)))
    await add_instances(db, instance("a", may(12), may(13)))
    (finding,) = (await audit(db, Check.NOTHING_STUCK, now=may(60), rate_card=card()))[1]
    assert (str(finding.kind), "2022-05" in finding.detail) == ("period_not_run", True)
    await claim_page(db, scope(), card())
    assert (await audit(db, Check.NOTHING_STUCK, now=may(60), rate_card=card(), attribution_id="team:b"))[1] == []


@pytest.mark.parametrize("seed", range(6))
async def test_random_cycles_place_usage_as_a_plain_reference_does(db: Database, seed: int) -> None:
    rng = random.Random(seed)
    cycles, start = [], may(rng.randrange(-20, 12) + rng.choice([0, 0.3]))
    for _ in range(4):
        end = start + timedelta(days=rng.choice([7, 14, 28, 30, 31, 31, 45]))
        cycles.append((start, end))
        start = end + timedelta(days=rng.choice([0, 0, 0, 2]))
    await subscriber(db, *cycles)
    rows = []
    for number in range(12):
        begin = may(rng.randrange(-25, 60)) + timedelta(hours=rng.randrange(24))
        rows.append(instance(f"i-{number}", begin, begin + timedelta(hours=rng.randrange(1, 200))))
    await add_instances(db, *rows)
    expected: Counter[str] = Counter()
    for row in rows:
        assert row.started_time is not None
        assert row.stopping_time is not None
        instant = row.started_time
        while instant < min(row.stopping_time, may(62)):
            around = [a for a, b in cycles if a <= instant < b and 27 <= (b - a).days <= 38]
            expected[f"{around[0]:%Y-%m-%d}" if around else f"{instant:%Y-%m}"] += 12
            instant += timedelta(minutes=12)
    final = draft(may(32), may(62), reason=InvoiceReason.CANCELLATION, subject=SUB, stripe_invoice_id=None)
    (key,) = (await claim_page(db, final, graduated("0"))).keys
    assert await places(db, key) == expected
