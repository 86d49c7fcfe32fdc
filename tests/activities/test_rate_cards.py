"""The worker takes a rate card that changed without a restart, and publishes what it bills with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from activities.rate_cards import RateCardFile, RateCards
from billing.errors import PermanentError, RateCardError
from contracts.names import BILLING_QUEUE
from settings import Settings
from storage.claims.claims import claim_page
from storage.periods.published import read_published
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, scope

CARD = """\
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "%s" }
price_per_credit = { usd = "0.01" }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "rates.toml"
    found.write_text(CARD % "1")
    return found


def _rate(card_file: RateCardFile) -> str:
    return format(card_file.current().versions[0].credits_per_minute["default"], "f")


def test_an_edited_and_a_replaced_file_are_read_again(path: Path) -> None:
    cards = RateCardFile(path)
    assert _rate(cards) == "1"
    assert cards.current() is cards.current()
    path.write_text(CARD % "22")
    assert _rate(cards) == "22"
    before = path.stat()
    other = path.with_suffix(".new")
    other.write_text(CARD % "33")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert _rate(cards) == "33"


def test_a_broken_file_is_an_error_until_it_is_whole(path: Path) -> None:
    cards = RateCardFile(path)
    assert _rate(cards) == "1"
    for broken in (CARD % "x", "[[ver", None):
        if broken is None:
            path.unlink()
        else:
            path.write_text(broken)
        for _ in range(2):
            with pytest.raises(RateCardError, match=str(path)) as caught:
                cards.current()
            assert not isinstance(caught.value, PermanentError)  # so that Temporal retries it
    path.write_text(CARD % "2")
    assert _rate(cards) == "2"


def test_a_file_that_changes_while_it_is_read_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = RateCardFile(path)
    read = Path.read_text

    def read_and_change(self: Path, encoding: str | None = None) -> str:
        text = read(self, encoding)
        path.write_text(CARD % "22")
        return text

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", read_and_change)
        with pytest.raises(RateCardError, match="changes while it is read"):
            cards.current()
    assert _rate(cards) == "22"


async def test_each_new_card_is_published_with_the_settings(db: Database, path: Path) -> None:
    settings = Settings(rate_card=path, billing_time_zone="Europe/Berlin", database_url="postgresql://u:secret@h/d")
    cards = RateCards(db, settings)
    assert await read_published(db, BILLING_QUEUE) is None
    first = await cards.current()
    published = await read_published(db, BILLING_QUEUE)
    assert published is not None
    assert (published.rate_card_digest, published.content) == (first.digest, first.describe())
    assert published.settings["BILLING_TIME_ZONE"] == "Europe/Berlin"
    assert published.settings["BILL_AFTER"] == ""
    assert "secret" not in str(published)
    path.write_text(CARD % "22")
    second = await cards.current()
    published = await read_published(db, BILLING_QUEUE)
    assert published is not None
    assert published.rate_card_digest == second.digest != first.digest


async def test_a_card_is_kept_by_its_digest_when_it_is_first_used(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)), instance("later", may(40), may(41)))
    await claim_page(db, scope(), card())
    ((digest, content, since),) = await fetch(db, "SELECT * FROM rate_card")
    assert (digest, content) == (card().digest, card().describe())
    await claim_page(db, scope(period="2022-06", cutoff=may(62), period_start=may(32)), card())
    assert await fetch(db, "SELECT * FROM rate_card") == [(digest, content, since)]
