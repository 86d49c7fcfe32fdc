"""If PostgreSQL no longer refuses doubled usage, the audit finds it and reports that the constraint is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from billing.audit.checks import Check
from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice
from storage.postgres.database import Database
from tests.storage.audits import CARD, A, B, audit, billed_world, reported
from tests.storage.usage import execute, june, may

CONSTRAINT = (
    "ALTER TABLE claim ADD CONSTRAINT claim_never_twice "
    "EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&)"
)
DROP = "ALTER TABLE claim DROP CONSTRAINT claim_never_twice"
N = Check.NEVER_TWICE


@pytest.fixture
async def unguarded(db: Database) -> AsyncIterator[Database]:
    """A database that lacks the constraint."""
    await billed_world(db)
    await execute(db, DROP)
    yield db
    await execute(db, "DELETE FROM claim")
    await execute(db, "ALTER TABLE claim DROP CONSTRAINT IF EXISTS claim_never_twice")
    await execute(db, CONSTRAINT)


async def test_what_is_claimed_once_gives_no_finding(db: Database) -> None:
    await billed_world(db)
    record, findings = await audit(db, N)
    assert reported(findings) == []
    assert record.figures == {"claims": 5, "released": 0}


async def test_the_constraint_is_missed(unguarded: Database) -> None:
    missing = [("constraint_missing", "", "")]
    assert reported((await audit(unguarded, N))[1]) == missing
    assert reported((await audit(unguarded, N, attribution_id="team:b"))[1]) == missing


@pytest.mark.parametrize(
    "other",
    [
        "(instance_key(instance_id) WITH =, during WITH &&) WHERE (line_no > 1)",
        "(line_no WITH =, during WITH &&, invoice_id WITH =)",
    ],
)
async def test_a_constraint_of_another_form_is_none(unguarded: Database, other: str) -> None:
    await execute(unguarded, f"ALTER TABLE claim ADD CONSTRAINT claim_never_twice EXCLUDE USING gist {other}")
    [finding] = (await audit(unguarded, N))[1]
    assert finding.kind == "constraint_missing"
    assert "claim_never_twice EXCLUDE USING gist" in finding.detail


async def test_the_form_of_claims_is_guarded_too(db: Database) -> None:
    check = "claim_during_form"
    form = "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)"
    form += " AND lower_inc(during) AND NOT upper_inc(during)"
    await execute(db, f"ALTER TABLE claim DROP CONSTRAINT {check}")
    await execute(db, f"ALTER TABLE claim ADD CONSTRAINT {check} CHECK ({form}) NOT VALID")
    [finding] = (await audit(db, N))[1]
    assert finding.kind == "constraint_missing"
    assert "(not valid)" in finding.detail
    await execute(db, f"ALTER TABLE claim VALIDATE CONSTRAINT {check}")
    assert (await audit(db, N))[1] == []


async def test_segments_are_guarded_too(db: Database) -> None:
    await execute(db, "ALTER TABLE segment DROP CONSTRAINT segment_never_two_at_once")
    [finding] = (await audit(db, N))[1]
    assert finding.kind == "constraint_missing"
    assert finding.detail.startswith("the table segment lacks the constraint segment_never_two_at_once EXCLUDE USING")
    await execute(
        db,
        "ALTER TABLE segment ADD CONSTRAINT segment_never_two_at_once "
        "EXCLUDE USING gist (instance_id WITH =, during WITH &&)",
    )
    assert (await audit(db, N))[1] == []


async def test_overlaps_are_found_though_a_longer_claim_lies_between(unguarded: Database) -> None:
    plant = """
        INSERT INTO claim
        SELECT id, 1, :instance, tstzrange(:start, :end) FROM invoice WHERE key = :key
    """
    for start, end in ((may(1), may(2.5)), (may(2.1), may(2.2)), (may(2.9), may(2.9, us=1)), (may(3), may(4))):
        await execute(unguarded, plant, instance="a1", start=start, end=end, key=B)
    _, findings = await audit(unguarded, N)
    doubles = [each for each in findings if each.kind == "overlap"]
    assert [each.instance_id for each in doubles] == ["a1"] * 4
    assert all(A in each.detail or B in each.detail for each in doubles)
    pairs = ["02T00:00:00+00:00 to 2022-05-02T12", "02T02:24:00+00:00 to 2022-05-02T04:48", "02T21:36:00+00:00"]
    for pair in pairs:
        assert any(pair in each.detail for each in doubles)
    seen: list[dict[str, Any]] = [{"period": "2022-05"}, {"attribution_id": "team:a"}, {"attribution_id": "team:b"}]
    for scope in seen:
        assert len((await audit(unguarded, N, **scope))[1]) == 5
    unseen: list[dict[str, Any]] = [{"period": "2022-06"}, {"attribution_id": "team:c"}]
    for scope in unseen:
        assert reported((await audit(unguarded, N, **scope))[1]) == [("constraint_missing", "", "")]


async def test_a_double_shows_in_the_sums_too(unguarded: Database) -> None:
    await execute(unguarded, "INSERT INTO claim SELECT * FROM claim WHERE instance_id = 'a2'")
    assert reported((await audit(unguarded, Check.CONSERVATION))[1]) == [("not_conserved", "a2", "")]
    differing = [("days_differ_from_claims", "", A), ("line_differs_from_claims", "", A)]
    assert reported((await audit(unguarded, Check.CLAIMS_AND_LINES))[1]) == differing


async def test_what_was_released_of_a_living_invoice_and_billed_again(db: Database) -> None:
    await billed_world(db)
    await move_invoice(db, A, InvoiceState.VOIDED, may(34))
    await claim_page(db, june(), CARD)
    assert reported((await audit(db, N))[1]) == []
    await execute(db, "UPDATE invoice SET paid_at = now() WHERE key = :key", key=A)
    expected = [("billed_twice", instance, A) for instance in ("a1", "a2", "a3", "a3")]
    assert reported((await audit(db, N))[1]) == expected
    await execute(db, "UPDATE invoice SET paid_at = NULL, state = 'billed' WHERE key = :key", key=A)
    _, findings = await audit(db, N, period="2022-06")
    assert reported(findings) == expected
    assert "2022-06/team:a/period" in findings[0].detail
    assert (await audit(db, N, attribution_id="team:b"))[1] == []
