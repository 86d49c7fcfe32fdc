"""Corrections where prices depend on the month: the corrected bill takes the lowest places that others leave."""

from __future__ import annotations

from storage.corrections.candidates import correction_candidates
from storage.postgres.database import Database
from tests.storage.corrections.correcting import KEY, bill, correct, invoiced, misbilled, notes, replace_facts
from tests.storage.usage import add_account, fetch, graduated, instance, june, may


async def places(db: Database, key: str) -> list[tuple[str, int, int]]:
    """Return the places that an invoice holds: month, first credit, credits."""
    rows = await fetch(
        db,
        "SELECT m.month, m.position, m.credits FROM invoice_month AS m JOIN invoice AS i ON i.id = invoice_id "
        "WHERE i.key = :key ORDER BY m.month, m.position",
        key=key,
    )
    return [(row.month, int(row.position), int(row.credits)) for row in rows]


async def test_a_cut_is_worth_what_its_tier_costs(db: Database) -> None:
    await add_account(db)
    await bill(db, graduated(), instance("a", may(2), may(4)), instance("x", may(2), may(3), workspace_class="xl"))
    # 5,760 credits: 2,000 included, 1,000 at a cent, 2,760 at half a cent.
    assert (await invoiced(db)).amount == 1000 + 1380
    await replace_facts(db, instance("a", may(2), may(3)))
    made = await correct(db)
    assert made is not None
    assert (made.amount, made.net) == (1000 + 660, -720)
    assert await places(db, KEY) == [("2022-05", 0, 4320)]
    # The usage line decreases by 14.40, the line of tiers increases by 7.20.
    assert [note.parts for note in await notes(db)] == [{1: 720}]
    assert await correct(db) is None


async def test_included_credits_are_not_given_back_twice(db: Database) -> None:
    await add_account(db)
    await bill(db, graduated("5000"), instance("a", may(2), may(6)))
    assert (await invoiced(db)).amount == 760
    await replace_facts(db, instance("a", may(2), may(3)))
    made = await correct(db)
    assert made is not None
    assert (made.amount, made.net) == (0, -760)
    await replace_facts(db, instance("a", may(2), may(5)))
    assert await correct(db) is None
    assert await misbilled(db) == []


async def test_the_other_invoice_of_the_month_moves_to_the_lower_places(db: Database) -> None:
    await add_account(db)
    await bill(db, graduated(), instance("a", may(2), may(4)))
    (late,) = await bill(db, graduated(), instance("b", may(2), may(4)), of=june())
    assert (await invoiced(db)).amount + (await invoiced(db, late)).amount == 1000 + 1380
    await replace_facts(db, instance("a", may(2), may(3)))
    assert await correction_candidates(db, frozenset(), "2022-05") == [KEY, late]
    first, second = await correct(db), await correct(db, late)
    assert first is not None
    assert second is not None
    # 4,320 credits: 2,000 included, 1,000 at a cent, 1,320 at half a cent.
    assert first.amount + second.amount == 1000 + 660
    assert await places(db, KEY) == [("2022-05", 0, 1440)]
    assert await places(db, late) == [("2022-05", 1440, 2880)]
    assert await correct(db) is None
    assert await correct(db, late) is None


async def test_after_an_interruption_the_other_invoice_of_the_month_is_still_found(db: Database) -> None:
    await add_account(db)
    await bill(db, graduated(), instance("a", may(2), may(4)))
    (late,) = await bill(db, graduated(), instance("b", may(2), may(4)), of=june())
    assert await correction_candidates(db, frozenset(), "2022-05") == []
    await replace_facts(db, instance("a", may(2), may(3)))
    assert await correct(db) is not None
    assert await misbilled(db) == []
    assert late in await correction_candidates(db, frozenset(), "2022-05")
    assert await correct(db, late) is not None
