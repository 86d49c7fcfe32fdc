"""Commands say where their rate card and their settings differ from the worker's."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.rate_cards import RateCards
from billing.pricing.rate_card import load_rate_card
from settings import Settings
from storage.postgres.database import Database
from storage.postgres.roles import BILLING
from tests.cli.conftest import Perdure
from tests.storage.usage import add_account, add_instances, instance, may
from tests.support.roles import as_role

RATES = """\
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "1", xl = "2" }
price_per_credit = { usd = "0.01" }
"""


@pytest.fixture
async def perdure(perdure: Perdure, db: Database, database_url: str) -> Perdure:
    """The worker's card is the command's, until a test changes it."""
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3), workspace_class="xl"))
    perdure.settings["DATABASE_URL"] = database_url
    path = perdure.cwd / "rates.toml"
    path.write_text(RATES)
    worker = Database(as_role(database_url, BILLING), 1)
    await RateCards(worker, Settings(rate_card=path)).current()
    await worker.close()
    return perdure


async def test_nothing_is_said_if_all_is_equal(perdure: Perdure) -> None:
    for command in (("period", "run", "2022-05", "--dry-run", "--json"), ("rates", "check", "--json")):
        ran = await perdure(*command)
        assert (ran.status, ran.err) == (0, "")


async def test_another_card_and_other_settings_are_named(perdure: Perdure) -> None:
    path = Path(perdure.cwd / "rates.toml")
    theirs = load_rate_card(path).digest
    path.write_text(RATES.replace('"2"', '"1"'))
    card_line = (
        f"perdure: the worker rates with card {theirs}, this command has {load_rate_card(path).digest}: "
        "from 2022-01-01T00:00:00+00:00, credits_per_minute.xl is 2 instead of 1"
    )
    ran = await perdure("period", "run", "2022-05", "--dry-run", "--json", FINALIZATION="grace")
    assert [each["amount"] for each in ran.document] == [1440]
    assert ran.err.splitlines() == [
        card_line,
        "perdure: the worker has FINALIZATION=at_once, this command has grace",
    ]
    assert (await perdure("rates", "check")).err.splitlines() == [card_line]


async def test_a_database_that_is_away_does_not_stop_the_check_of_a_card(perdure: Perdure) -> None:
    ran = await perdure("rates", "check", DATABASE_URL="postgresql://u:secret@127.0.0.1:1/none")
    assert ran.status == 0
    assert ran.err.startswith("perdure: not compared with the worker's card: cannot connect to PostgreSQL")
    assert "secret" not in ran.err
