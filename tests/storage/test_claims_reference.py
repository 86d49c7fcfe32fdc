"""Claiming in random worlds, round after round, compared with the naive reference."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import pytest

from billing.assessment.assessment import Verdict
from billing.audit.checks import Check
from billing.invoice.key import InvoiceKey
from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import RateCard
from storage.claims.claims import ClaimScope, claim_page, preview_page
from storage.invoices.invoices import list_invoices, load_invoice, move_invoice, verify_against_claims
from storage.periods.periods import excluded_instances
from storage.postgres.database import Database
from tests.storage.audits import audit, reported
from tests.storage.random_worlds import import_instances, random_scope, store_accounts
from tests.storage.reference import JUNE, LAST, MAY, ReferenceAccount, ReferenceWorld
from tests.storage.usage import execute, fetch

Line = tuple[str, datetime, int, int, int]
"""workspace class, rate from, microseconds, those before the period, amount"""


def _expected(
    world: ReferenceWorld, scope: ClaimScope, account: ReferenceAccount, currency: str
) -> tuple[list[Line], set[tuple[str, int]]]:
    """Return the lines of the account's invoice in a currency, and the (instance, cell) pairs that they bill."""
    sums: dict[tuple[str, datetime], list[int]] = defaultdict(lambda: [0, 0])
    taken = set()
    for each in world.instances:
        if each.attribution_id != account.attribution_id:
            continue
        for cell in world.billable(each, currency, scope.cutoff, scope.bill_after):
            taken.add((each.id, cell))
            line = sums[(each.workspace_class or "default", world.rate_of(cell)["effective_from"])]
            line[0] += world.length(cell)
            line[1] += world.length(cell) if world.edges[cell] < scope.period_start else 0
    rates = {rate["effective_from"]: rate for rate in world.rates}
    lines = [
        (name, start, us, carried, world.price(rates[start], name, currency, us))
        for (name, start), (us, carried) in sorted(sums.items())
    ]
    return lines, taken


async def _claim_and_compare(db: Database, world: ReferenceWorld, scope: ClaimScope, card: RateCard) -> None:
    billed_before = {
        (row.attribution_id, row.currency)
        for row in await fetch(
            db,
            "SELECT attribution_id, currency FROM invoice WHERE billing_period = :period AND reason = :reason"
            " AND (subject = :subject OR reason = 'period') AND state NOT IN ('voided', 'deleted')",
            period=scope.period,
            reason=str(scope.reason),
            subject=scope.subject,
        )
    }
    previews = {
        (each.priced.attribution_id, each.priced.currency): each for each in await preview_page(db, scope, card)
    }
    made = {key: key for key in (await claim_page(db, scope, card)).keys}
    for account in world.accounts:
        for currency in account.currencies:
            own = (account.attribution_id, currency)
            if (
                own in billed_before
                or scope.attribution_id not in (None, own[0])
                or scope.currency not in (None, currency)
            ):
                assert own not in previews
                continue
            lines, taken = _expected(world, scope, account, currency)
            total = sum(line[4] for line in lines)
            wanted = total > 0 and total >= world.minimum(scope.cutoff, currency)
            assert (own in previews) == bool(lines)
            if lines:
                assert previews[own].verdict == (Verdict.INVOICE if wanted else Verdict.BELOW_MINIMUM)
                assert previews[own].priced.amount == total
            if wanted:
                key = made.pop(previews[own].priced.key)
                await _compare_invoice(db, key, currency, lines, total)
                world.claims.update(dict.fromkeys(taken, key))
    assert made == {}


async def _compare_invoice(db: Database, key: str, currency: str, lines: list[Line], total: int) -> None:
    record = await load_invoice(db, key)
    assert record is not None
    assert (record.amount, record.currency) == (total, currency)
    assert InvoiceKey.parse(key).subject == record.subject
    assert [
        (
            line.rated.workspace_class,
            line.rated.rate_from,
            line.rated.duration_us,
            line.carried_us,
            line.rated.amount,
        )
        for line in record.lines
    ] == lines
    sums = await verify_against_claims(db, key)
    assert [line.duration_us for line in sums] == [line[2] for line in lines]


async def _compare_claims(db: Database, world: ReferenceWorld) -> None:
    found: dict[tuple[str, int], str] = {}
    for row in await fetch(
        db,
        "SELECT c.instance_id, lower(c.during) AS start, upper(c.during) AS end, i.key"
        " FROM claim c JOIN invoice i ON i.id = c.invoice_id",
    ):
        assert {row.start, row.end} <= set(world.edges)
        for cell in world.cells(row.start, row.end):
            assert (row.instance_id, cell) not in found
            found[(row.instance_id, cell)] = row.key
    assert found == world.claims


async def _compare_excluded(db: Database, world: ReferenceWorld, bill_after: datetime | None, card: RateCard) -> None:
    rows = [row async for row in excluded_instances(db, start=MAY, end=JUNE, bill_after=bill_after, rate_card=card)]
    keys = [(row.instance_id, row.reason) for row in rows]
    assert keys == sorted(set(keys))
    found = {key: row.duration_us for key, row in zip(keys, rows, strict=True) if row.duration_us}
    assert found == world.excluded(bill_after)


async def _void_one(db: Database, world: ReferenceWorld) -> None:
    live = [invoice.key for invoice in await list_invoices(db) if invoice.state is InvoiceState.CLAIMED]
    if live:
        key = world.rng.choice(live)
        await move_invoice(db, key, InvoiceState.DELETED, LAST)
        world.claims = {claim: invoice for claim, invoice in world.claims.items() if invoice != key}


async def _change_one(db: Database, world: ReferenceWorld) -> None:
    """Change the past: charge for a window that was free, bill an account from the start, or stop an instance later."""
    chosen = world.rng.choice(["window", "bill_after", "instance"])
    account = world.rng.choice(world.accounts)
    if chosen == "window" and account.windows:
        number = world.rng.randrange(len(account.windows))
        window = account.windows[number] = replace(account.windows[number], kind="paid")
        await execute(
            db,
            "UPDATE subscription SET kind = 'paid' WHERE attribution_id = :id AND lower(during) = :start",
            id=account.attribution_id,
            start=window.start,
        )
    elif chosen == "bill_after":
        account.bill_after = None
        await execute(db, "UPDATE account SET bill_after = NULL WHERE attribution_id = :id", id=account.attribution_id)
    elif ended := [each for each in world.instances if each.ended]:
        each = world.rng.choice(ended)
        each.ended = LAST
        await execute(
            db,
            "UPDATE workspace_instance SET stopping_time = :end, stopped_time = :end WHERE id = :id",
            id=each.id,
            end=LAST,
        )


@pytest.mark.parametrize("seed", range(16))
async def test_claims_are_what_the_reference_says(db: Database, seed: int) -> None:
    world = ReferenceWorld.make(seed)
    bill_after = world.rng.choice([None, None, world.rng.choice(world.edges)])
    card = parse_rate_card({"version": world.rates})
    await store_accounts(db, world)
    for number in range(6):
        await import_instances(db, world, 6)
        await _claim_and_compare(db, world, random_scope(world, number, bill_after), card)
        await _compare_claims(db, world)
        if world.rng.random() < 0.3:
            await _void_one(db, world)
        if world.rng.random() < 0.5:
            await _change_one(db, world)
    await _compare_claims(db, world)
    await _compare_excluded(db, world, bill_after, card)
    found = await audit(db, Check.CONSERVATION, rate_card=card, bill_after=bill_after, now=LAST)
    assert "unread_usage" not in {kind for kind, *_ in reported(found[1])}
