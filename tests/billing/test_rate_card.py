"""Rate card files: a good file is read exactly, a bad one is refused in one line that says where."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import RateCardError
from billing.pricing.rate_card import described_rate_card, load_rate_card, parse_rate_card

GOOD = """\
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "0.1666666667", xl = "0.3333333333" }
price_per_credit = { usd = "0.036", eur = "0.034" }
minimum_charge = { usd = "0.50", eur = "0.50" }

[[version]]
effective_from = 2022-07-01T02:00:00+02:00
credits_per_minute = { default = "0.2" }
price_per_credit = { usd = "0.04" }
"""
BAD: list[tuple[str, str, str]] = [  # (old text, replacement, expected message)
    (GOOD, "", "no [[version]]"),
    (GOOD, "version = 3", "no [[version]]"),
    (GOOD, "version = []", "no [[version]]"),
    (GOOD, "version = [3]", "version 1: not a table"),
    (GOOD, "{]", "not TOML"),
    (GOOD, "version = " + "9" * 5000, "not TOML"),
    (GOOD, "a = " + "[" * 100_000, "not TOML"),
    ("[[version]]", "[[versions]]", "unknown key 'versions'"),
    ("minimum_charge", "minimum", "version 1: unknown key 'minimum'"),
    ("effective_from = 2022-01-01T00:00:00Z\n", "", "version 1: effective_from must be"),
    ("2022-01-01T00:00:00Z", "2022-01-01T00:00:00", "version 1: effective_from must be an instant with a zone"),
    ("2022-01-01T00:00:00Z", "2022-01-01", "version 1: effective_from must be an instant with a zone"),
    ("2022-01-01T00:00:00Z", '"2022-01-01T00:00:00Z"', "version 1: effective_from must be"),
    ("2022-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "version 1: effective_from is out of range"),
    ("2022-07-01T02:00:00+02:00", "2022-01-01T01:00:00+01:00", "version 2: effective_from is not after"),
    ("2022-07-01T02:00:00+02:00", "2021-01-01T00:00:00Z", "version 2: effective_from is not after"),
    ('xl = "0.3333333333"', 'gpu.a100.large = "2"', 'a name with a dot needs quotes: write "gpu.a100.large" = "..."'),
    ('default = "0.1666666667", ', "", "version 1: credits_per_minute needs a rate for 'default'"),
    ('{ default = "0.2" }', "{}", "version 2: credits_per_minute: must be a table with at least one entry"),
    ('{ default = "0.2" }', '"0.2"', "version 2: credits_per_minute: must be a table"),
    ('{ usd = "0.04" }', "{}", "version 2: price_per_credit: must be a table with at least one entry"),
    ('price_per_credit = { usd = "0.04" }', "", "version 2: price_per_credit: must be a table"),
    ('"0.2"', "0.2", "version 2: credits_per_minute.default: write the number as a string"),
    ('"0.2"', "true", "version 2: credits_per_minute.default: write the number as a string"),
    ('"0.2"', '""', "version 2: credits_per_minute.default: '' is not a number"),
    ('"0.2"', '"x"', "version 2: credits_per_minute.default: 'x' is not a number"),
    ('"0.2"', '"NaN"', "'NaN' is not a number"),
    ('"0.2"', '"Infinity"', "'Infinity' is not a number"),
    ('"0.2"', '"-0.2"', "'-0.2' is not a number"),
    ('"0.2"', '"-0"', "'-0' is not a number"),
    ('"0.2"', '"1e3"', "'1e3' is not a number"),
    ('"0.2"', '"1_0"', "'1_0' is not a number"),
    ('"0.2"', '" 1"', "' 1' is not a number"),
    ('"0.2"', '"1,5"', "'1,5' is not a number"),
    ('"0.2"', '"1\\n2"', "is not a number"),
    ('"0.2"', '"٣"', "is not a number"),
    ('"0.2"', '"1000000000"', "must be from 0 to 999999999"),
    ('"0.2"', '"0.0000000000001"', "more than 12 decimals"),
    ("{ default", '{ "" = "1", default', "'' is not a name"),
    ("{ default", '{ "a\\nb" = "1", default', "is not a name"),
    ("{ usd", "{ USD", "version 1: price_per_credit: 'USD': write currencies in lower case"),
    ("{ usd", "{ dollar", "version 1: price_per_credit: 'dollar' is not a currency"),
]  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "rates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_card_is_read_exactly(tmp_path: Path) -> None:
    old, new = load_rate_card(write(tmp_path, GOOD)).versions
    assert old.effective_from == datetime(2022, 1, 1, tzinfo=UTC)
    assert old.credits_per_minute == {"default": Decimal("0.1666666667"), "xl": Decimal("0.3333333333")}
    assert (old.minimum("usd"), old.minimum("gbp")) == (50, 0)
    assert new.effective_from == datetime(2022, 7, 1, tzinfo=UTC)
    assert new.effective_from.tzinfo is UTC
    assert new.minimum_charge == {}


def test_an_editor_may_save_it_with_a_byte_order_mark_or_dos_line_ends(tmp_path: Path) -> None:
    card = load_rate_card(write(tmp_path, GOOD))
    assert load_rate_card(write(tmp_path, "\ufeff" + GOOD)) == card
    assert load_rate_card(write(tmp_path, GOOD.replace("\n", "\r\n"))) == card


@pytest.mark.parametrize(("old", "new", "message"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_bad_card_is_refused_in_one_line_that_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(RateCardError) as caught:
        load_rate_card(path)
    text = str(caught.value)
    assert text.startswith(f"rate card {path}: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < 400


def test_a_card_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RateCardError, match=r"No such file or directory; set RATE_CARD to its path"):
        load_rate_card(tmp_path / "none.toml")
    with pytest.raises(RateCardError, match="Is a directory"):
        load_rate_card(tmp_path)
    (tmp_path / "latin.toml").write_bytes(GOOD.replace("xl", "gro\u00df").encode("latin-1"))
    with pytest.raises(RateCardError, match="not UTF-8 text"):
        load_rate_card(tmp_path / "latin.toml")


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.datetimes()
names = st.sampled_from(["version", "effective_from", "credits_per_minute", "price_per_credit", "default", "usd"])
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=4), inner, max_size=4)
)


@given(st.dictionaries(names | st.text(max_size=4), documents, max_size=3))
def test_whatever_the_document_holds_the_error_is_one_line(document: dict[str, object]) -> None:
    with pytest.raises(RateCardError) as caught:
        parse_rate_card(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "more", ["", 'included_credits = "500"\n[version.tiers]\njpy = [{ up_to = "10", price = "5" }, { price = "4" }]\n']
)
def test_a_described_card_is_the_same_card(tmp_path: Path, more: str) -> None:
    path = tmp_path / "rates.toml"
    path.write_text(GOOD + more)
    card = load_rate_card(path)
    assert described_rate_card(json.loads(json.dumps(card.describe()))) == card
