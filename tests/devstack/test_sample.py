"""The sample data is up to date and can be imported, and its rate card is the default."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from billing.pricing.rate_card import load_rate_card
from billing.usage.columns import ColumnNames
from billing.usage.parsing import Kind, parse_account, parse_instance
from devstack.sample.generate import files
from devstack.sample.product import SAMPLE


def test_the_files_are_what_the_generator_makes() -> None:
    made = {path.name: path.read_text() for path in SAMPLE.glob("*.csv")}
    assert made == files(), "run: python -m devstack.sample.generate"


@pytest.mark.parametrize(
    ("name", "count"), [("accounts.csv", 14), ("instances.csv", 158), ("changes.csv", 4), ("late-stop.csv", 1)]
)
def test_every_row_is_imported(name: str, count: int) -> None:
    kind: Kind = "accounts" if name == "accounts.csv" else "instances"
    rows = list(csv.DictReader(io.StringIO(files()[name])))
    assert None not in ColumnNames(kind, {}).of_file(list(rows[0]))
    parse = parse_account if kind == "accounts" else parse_instance
    assert [fault for line, row in enumerate(rows, 2) if isinstance(fault := parse(line, row), list)] == []
    assert len(rows) == count


def test_the_rate_card_is_valid_and_covers_the_month() -> None:
    card = load_rate_card(SAMPLE / "rates.toml")
    assert [version.effective_from for version in card.versions] == [
        datetime(2022, 1, 1, tzinfo=UTC),
        datetime(2022, 5, 16, tzinfo=UTC),
    ]
    accounts = csv.DictReader(io.StringIO(files()["accounts.csv"]))
    assert {row["currency"] for row in accounts} == set(card.versions[0].price_per_credit)
