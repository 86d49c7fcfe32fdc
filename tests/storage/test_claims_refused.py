"""Rows of one account that the database refuses: they block that account and no other, and the dry run agrees."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from billing.assessment.assessment import ClaimScope
from billing.pricing.rating import RateCard
from storage.accounts.policies import period_totals
from storage.claims.claims import Verdict, claim_page, preview_page
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, claimed, execute, fetch, instance, june, may, scope

# The tiers' line takes back what the usage line charges: each is out of range, and their total is not.
TAKEN_BACK = card(
    credits_per_minute={"default": "0.000001", "dear": "100000"},
    price_per_credit={"usd": "999999999"},
    included_credits="143999999.99",
)
TOTAL = card(
    credits_per_minute={"default": "0.000001", "dear": "35000", "dear too": "35000"},
    price_per_credit={"usd": "999999999"},
)
CHEAP = 144_000_000  # a day at a millionth of a credit a minute


async def _two_accounts(db: Database) -> None:
    """team:a's usage cannot be stored; team:b, on the same page, is billed a day."""
    await add_account(db, "team:a")
    await add_account(db, "team:b")
    await add_instances(
        db,
        *(instance(each, may(2), may(3), workspace_class=each) for each in ("dear", "dear too")),
        instance("b", may(2), may(3), attribution_id="team:b"),
    )
    await execute(db, "INSERT INTO account_policy (attribution_id, included_credits) VALUES ('team:b', 0)")


async def _only_b_is_billed(db: Database, given: ClaimScope, rates: RateCard, amount: int, reason: str) -> None:
    previews = {each.priced.attribution_id: each for each in await preview_page(db, given, rates)}
    assert {name: str(each.verdict) for name, each in previews.items()} == {"team:a": "blocked", "team:b": "invoice"}
    result = await claim_page(db, given, rates)
    assert (result.keys, result.blocked, result.amounts) == (("2022-05/team:b/period",), 1, {"usd": amount})
    assert await claimed(db) == [("b", may(2), may(3))]
    found = await fetch(db, "SELECT attribution_id, outcome, kind, reason FROM account_outcome")
    assert found == [("team:a", "blocked", "refused", previews["team:a"].reason)]
    assert reason in previews["team:a"].reason


@pytest.mark.parametrize(("rates", "of"), [(TAKEN_BACK, "class dear"), (TOTAL, "the total")])
async def test_an_amount_beyond_a_bigint(db: Database, rates: RateCard, of: str) -> None:
    await _two_accounts(db)
    await _only_b_is_billed(db, scope(), rates, CHEAP, f"{of}: the amount or the duration is larger than any invoice")


async def test_more_runtime_than_a_bigint_holds(db: Database) -> None:
    await add_account(db, "team:a")
    await add_account(db, "team:b")
    await add_instances(
        db,
        *(instance(f"a{number}", may(2)) for number in range(40)),
        instance("b", may(2), may(3), attribution_id="team:b"),
    )
    far = scope(cutoff=datetime(9999, 1, 1, tzinfo=UTC))
    await _only_b_is_billed(db, far, card(), 1440, "bigint out of range (SQLSTATE 22003)")


@pytest.mark.parametrize(
    ("refuse", "forget", "reason"),
    [
        (
            ["ALTER TABLE invoice ADD CONSTRAINT not_a CHECK (attribution_id <> 'team:a') NOT VALID"],
            "ALTER TABLE invoice DROP CONSTRAINT not_a",
            'violates check constraint "not_a" (SQLSTATE 23514)',
        ),
        (
            [
                """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE 'not for dear ones' USING DETAIL = 'a secret'; END $$""",
                """CREATE TRIGGER refuse BEFORE INSERT ON invoice_line FOR EACH ROW
                WHEN (NEW.workspace_class = 'dear') EXECUTE FUNCTION refuse()""",
            ],
            "DROP FUNCTION refuse CASCADE",
            "refuses its usage: not for dear ones (SQLSTATE P0001)",
        ),
    ],
)
async def test_whatever_a_row_is_refused_for(db: Database, refuse: list[str], forget: str, reason: str) -> None:
    await _two_accounts(db)
    for command in refuse:
        await execute(db, command)
    try:
        result = await claim_page(db, scope(), card())
    finally:
        await execute(db, forget)
    assert (result.keys, result.blocked) == (("2022-05/team:b/period",), 1)
    ((account, kind, found),) = await fetch(db, "SELECT attribution_id, kind, reason FROM account_outcome")
    assert (account, kind) == ("team:a", "refused")
    assert reason in found
    assert "secret" not in found
    assert (await claim_page(db, scope(), card())).keys == ("2022-05/team:a/period",)
    assert await fetch(db, "SELECT 1 FROM account_outcome") == []


async def test_what_can_pass_by_itself_blocks_nobody(db: Database) -> None:
    await _two_accounts(db)
    await execute(
        db,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'no space left' USING ERRCODE = '53100'; END $$",
    )
    await execute(
        db, "CREATE TRIGGER full_disk BEFORE INSERT ON invoice FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
    )
    try:
        with pytest.raises(DBAPIError, match="no space left"):
            await claim_page(db, scope(), card())
    finally:
        await execute(db, "DROP FUNCTION full_disk CASCADE")
    assert await fetch(db, "SELECT 1 FROM account_outcome") == []


async def test_the_total_of_a_large_period_before_stops_no_run(db: Database) -> None:
    """Two invoices of one period are each below the largest bigint, and their total is above it."""
    await _two_accounts(db)
    await claim_page(db, scope(), card())
    await execute(db, "UPDATE invoice SET amount = 9223372036854775807 WHERE attribution_id = 'team:a'")
    copied = "billing_period, reason, cutoff, currency, amount, credits, rate_card_digest, state, attribution_id"
    await execute(
        db,
        f"INSERT INTO invoice ({copied}, key, subject) SELECT {copied}, key || '2', 'two' FROM invoice "
        "WHERE attribution_id = 'team:a'",
    )
    await add_instances(db, instance("later", may(40), may(41)))
    assert [each.verdict for each in await preview_page(db, june(), card())] == [Verdict.INVOICE]
    (total,) = await period_totals(db, "2022-06", "2022-05")
    assert total.previous == 2 * (2**63 - 1) + 1440
