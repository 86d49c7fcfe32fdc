"""Credits of instances on corrected invoices: never more than is still owed of the instance."""

from __future__ import annotations

from typing import Any

import pytest

from billing.errors import InputError
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.pricing.rate_card import parse_rate_card
from billing.usage.rows import InstanceRow
from storage.invoices.credit_notes import request_credit
from storage.postgres.database import Database
from tests.storage.corrections.correcting import KEY, bill, correct, notes, replace_facts
from tests.storage.usage import DAY, add_account, card, instance, may


def ran(name: str, days: float = 2, **changes: Any) -> InstanceRow:
    """Return an instance that ran for so many days."""
    return instance(name, may(2), may(2 + days), **changes)


async def credited(db: Database, name: str) -> dict[int, int]:
    """Credit the instance. Returns the parts by line."""
    note, made = await request_credit(db, KEY, CreditOrder(CreditKind.INSTANCE, "outage", instance_id=name))
    assert made
    return note.parts


@pytest.mark.parametrize(
    ("billed", "right"),
    [
        (ran("a"), ran("a", 1)),
        (ran("a", workspace_class="xl"), ran("a")),
        (ran("a", quantity=3), ran("a", quantity=2)),
        (ran("a", quantity=3, workspace_class="xl"), ran("a", 1, quantity=2)),
    ],
    ids=["cut", "class", "quantity", "all"],
)
async def test_an_instance_is_credited_at_what_it_was_corrected_to(
    db: Database, billed: InstanceRow, right: InstanceRow
) -> None:
    """Another instance shares each line, so that the line has more left than this one."""
    await add_account(db)
    others = [ran(f"other-{name}", 9, workspace_class=name, quantity=9) for name in ("default", "xl")]
    await bill(db, card(), billed, *others)
    await replace_facts(db, right)
    made = await correct(db)
    assert made is not None
    assert made.net < 0
    owed = made.amount - sum(9 * 9 * DAY * rate for rate in (1, 2))
    assert sum((await credited(db, "a")).values()) == owed
    with pytest.raises(InputError, match="nothing is left to credit on the share of instance a"):
        await request_credit(db, KEY, CreditOrder(CreditKind.INSTANCE, "again", instance_id="a"))
    assert sum((await credited(db, "other-default")).values()) == 81 * DAY


async def test_of_an_instance_that_was_cut_wholly_nothing_is_left(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), ran("a"), ran("b"))
    await replace_facts(db, ran("a", attribution_id="team:other"))
    assert await correct(db) is not None
    with pytest.raises(InputError, match="nothing is left to credit on the share of instance a of invoice"):
        await credited(db, "a")
    with pytest.raises(InputError, match="instance c is not on invoice"):
        await credited(db, "c")
    assert await credited(db, "b") == {1: 2 * DAY}


async def test_what_an_adjustment_charges_is_not_credited_on_the_corrected_invoice(db: Database) -> None:
    await add_account(db)
    await bill(db, card(), ran("a"), ran("b"))
    await replace_facts(db, ran("a", workspace_class="xl"))
    made = await correct(db)
    assert made is not None
    assert made.adjustment == 2 * DAY
    assert await credited(db, "a") == {1: 2 * DAY}
    assert [note.parts for note in await notes(db)] == [{1: 2 * DAY}]


async def test_at_another_rate_card_the_lower_price_counts_from_when_it_is_in_force(db: Database) -> None:
    """The new card halves the first day's price and doubles the second day's."""
    await add_account(db)
    await bill(db, card(), ran("a"), ran("b"))
    first, second = {"price_per_credit": {"usd": "0.005"}}, {"price_per_credit": {"usd": "0.02"}}
    versions = [
        {"effective_from": since, "credits_per_minute": {"default": "1"}, "minimum_charge": {}, **price}
        for since, price in ((may(-100), first), (may(3), second))
    ]
    made = await correct(db, KEY, parse_rate_card({"version": versions}))
    assert made is not None
    assert (made.amount, made.net) == (5 * DAY, DAY)
    assert await credited(db, "a") == {1: DAY // 2 + DAY}
    assert await credited(db, "b") == {1: DAY // 2 + DAY}
