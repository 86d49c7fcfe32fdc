"""Columns by other names: found without regard to case and spaces, mapped by the user, never guessed."""

from __future__ import annotations

import pytest

from billing.errors import InputError
from billing.usage.columns import OTHER_NAMES, REJECTED, ColumnNames, parse_mapping
from billing.usage.parsing import COLUMNS, KINDS, Kind


def found(*names: str, kind: Kind = "instances", mapping: dict[str, str | None] | None = None) -> list[str | None]:
    return ColumnNames(kind, mapping or {}).of_row(names)


@pytest.mark.parametrize("kind", KINDS)
def test_other_names_are_of_columns_and_stand_for_one(kind: Kind) -> None:
    others = [other for names in OTHER_NAMES[kind].values() for other in names]
    assert set(OTHER_NAMES[kind]) <= set(COLUMNS[kind])
    assert len(set(others)) == len(others)
    assert not {*others, *REJECTED} & set(COLUMNS[kind])
    for column, names in OTHER_NAMES[kind].items():
        assert found(*[names[0]], kind=kind) == [column]


@pytest.mark.parametrize("name", ["Started At", " started-at", "startedAt", "STARTED_AT", "started_time", "Start"])
def test_case_and_spaces_do_not_matter(name: str) -> None:
    assert found("ID", "Customer ID", name) == ["id", "attribution_id", "started_time"]


def test_unknown_names_stay_and_those_of_refused_rows_are_ignored() -> None:
    assert found("id", "Memory", "line", "file", "reason") == ["id", "Memory", None, None, None]


@pytest.mark.parametrize("names", [("account", "attribution_id"), ("customer", "Account"), ("id", "ID")])
def test_two_names_of_one_column_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=f"columns '{names[0]}' and '{names[1]}' are both (attribution_)?id$"):
        found(*names)


def test_a_mapping_wins_over_names_and_ignores_columns() -> None:
    mapping = parse_mapping("instances", ["Run=id", "id=workspace_id", "tenant = Account", "customer="])
    assert mapping == {"run": "id", "id": "workspace_id", "tenant": "attribution_id", "customer": None}
    assert found("RUN", "id", "Tenant", "customer", mapping=mapping) == ["id", "workspace_id", "attribution_id", None]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["customer"], "'customer' is no mapping: write NAME=COLUMN, or NAME= to ignore a column"),
        (["=id"], "'=id' is no mapping"),
        (["org=payer"], "'org=payer': there is no column 'payer'; the columns of instances are id, attribution_id, "),
        (["a=id", "A=owner_id"], "'A=owner_id': A is mapped already"),
    ],
)
def test_mappings_that_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mapping("instances", texts)
    assert str(caught.value).startswith(message)


def test_a_mapped_name_must_be_in_the_file() -> None:
    names = ["id", "customer", "start"]
    assert ColumnNames("instances", {"note": None}).of_file(names) == ["id", "attribution_id", "started_time"]
    with pytest.raises(InputError, match="there is no column 'custmer' to map to owner_id"):
        ColumnNames("instances", {"custmer": "owner_id"}).of_file(names)
