"""What a correction has cut, and priced otherwise, is explained."""

from __future__ import annotations

from datetime import timedelta

from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from storage.usage.explain import Explanation, explain_instance
from storage.usage.explain_invoice import invoice_intervals
from tests.storage.audits import CARD, A
from tests.storage.corrected_world import corrected_world
from tests.storage.usage import execute, may

B = "2022-05/team:b/period"


async def explained(db: Database, instance_id: str) -> Explanation:
    found = await explain_instance(db, instance_id, now=may(40), bill_after=None, rate_card=CARD, charge_on="own")
    assert found is not None
    return found


async def test_cut_time_was_billed_and_is_billed_again_elsewhere(db: Database) -> None:
    await corrected_world(db)
    found = await explained(db, "a1")
    assert [(each.fate, each.start, each.end) for each in found.intervals] == [
        ("unbilled", may(2), may(2.25)),
        ("billed", may(2.25), may(2.5)),
    ]
    assert [(each.invoice_key, each.correction, each.start, each.end) for each in found.released] == [
        (A, 1, may(2), may(2.25)),
        (A, 1, may(2.5), may(3)),
    ]
    assert [each.billed_again_on for each in found.released] == [[], []]
    await execute(
        db,
        "INSERT INTO claim (invoice_id, line_no, instance_id, during)"
        " SELECT i.id, 1, h.instance_id, h.during FROM claim_history AS h, invoice AS i"
        " WHERE i.key = :key AND lower(h.during) = :start",
        key=B,
        start=may(2),
    )
    assert [each.billed_again_on for each in (await explained(db, "a1")).released] == [[B], []]


async def test_time_at_another_price_says_what_it_was_corrected_to(db: Database) -> None:
    await corrected_world(db)
    [of_class] = (await explained(db, "a2")).intervals
    assert of_class.on is not None
    assert (of_class.on.workspace_class, of_class.on.corrected_class, of_class.misbilled) == ("xl", "default", ())
    doubled = (await explained(db, "a3")).intervals
    assert [each.on.corrected_quantity for each in doubled if each.on] == [2, 2]
    assert [each.misbilled for each in doubled] == [(), ()]


async def test_the_intervals_of_a_corrected_invoice_are_those_of_its_lines(db: Database) -> None:
    await corrected_world(db)
    record = await load_invoice(db, A)
    assert record is not None
    intervals = [each async for each in invoice_intervals(db, record)]
    cut = sum((each.end - each.start for each in intervals if each.cut), timedelta())
    assert (len(intervals), cut) == (6, timedelta(hours=18))
