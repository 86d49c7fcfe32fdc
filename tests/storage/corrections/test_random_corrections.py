"""Random months with corrections: facts, runs, credits, voids and corrections in any order come to the final facts.

After the last correction the net bill of each account (what its live invoices bill, less their credits, plus what
waits to be charged) is what a naive reference says of the final facts. How usage is spread over invoices is taken from
the claims, as it follows from the order of the runs; the reference prices each invoice's cells on their final terms,
rounded by line. Where nothing is ever rounded, it also prices all cells of the account at once, whatever the invoices.

What a person credits besides stays credited, until a correction is recorded: that comes to the bill as corrected.
"""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from billing.audit.checks import DATABASE_CHECKS
from billing.audit.kinds import Kind
from storage.postgres.database import Database
from storage.usage.misbilled import misbilled_usage
from tests.storage.audits import audit
from tests.storage.corrections.naive import CellTerms
from tests.storage.corrections.random_world import (
    ACCOUNTS,
    RandomWorld,
    store_accounts,
)
from tests.storage.corrections.random_year import RandomYear, billed_cells, by_others, net_bills, places


async def compare(year: RandomYear) -> None:
    world = year.world
    truth = world.billable()
    claimed = await billed_cells(year)
    taken = await places(year)
    owed: dict[tuple[str, str], int] = defaultdict(int)
    for invoice in await year.live():
        usage: list[tuple[int, CellTerms]] = []
        for cell, (name, quantity) in claimed.get(invoice.key, {}).items():
            payer, currency, terms = truth[cell]
            assert (payer, currency) == (invoice.attribution_id, invoice.currency)
            assert (terms.workspace_class, terms.quantity) == (name, quantity)
            usage.append((cell[1], terms))
        used = by_others(taken, invoice.attribution_id, invoice.key)
        amount = world.card.bill(invoice.currency, usage, used) - year.goodwill.get(invoice.key, 0)
        owed[invoice.attribution_id, invoice.currency] += amount
    net = await net_bills(year)
    assert {own: amount for own, amount in net.items() if amount} == {
        own: amount for own, amount in owed.items() if amount
    }
    all_claimed = {cell for cells in claimed.values() for cell in cells}
    for name in ACCOUNTS:
        for currency in world.currencies[name]:
            own = {cell: terms for cell, (payer, of, terms) in truth.items() if (payer, of) == (name, currency)}
            rest = [(cell[1], terms) for cell, terms in own.items() if cell not in all_claimed]
            assert world.card.bill(currency, rest, by_others(taken, name, "")) == 0
            if world.exact:
                at_once = world.card.bill(currency, [(cell[1], terms) for cell, terms in own.items()], {})
                credits = sum(amount for key, amount in year.goodwill.items() if f"/{name}/" in key)
                assert net[name, currency] == at_once - credits


_EXPECTED = {Kind.UNBILLED_USAGE, Kind.PERIOD_NOT_RUN, Kind.INVOICE_STUCK}


async def play(db: Database, seed: int) -> RandomYear:
    chance = random.Random(seed)
    world = RandomWorld(chance, exact=seed % 2 == 0, graduated=seed % 4 < 2)
    year = RandomYear(db, world)
    await store_accounts(db, world)
    for _ in range(6):
        await year.arrive()
    for _ in range(24):
        await year.happen()
    await year.settle()
    await compare(year)
    assert await misbilled_usage(db) == []
    for invoice in await year.live():
        assert await year.report(invoice.key) == year.reports[invoice.key], invoice.key
    for check in DATABASE_CHECKS:
        _, findings = await audit(db, check, rate_card=world.rate_card(), now=world.edges[-1])
        assert [each for each in findings if each.kind not in _EXPECTED] == []
    return year


@pytest.mark.parametrize("seed", range(24))
async def test_the_net_bill_is_that_of_the_final_facts(db: Database, seed: int) -> None:
    await play(db, seed)
