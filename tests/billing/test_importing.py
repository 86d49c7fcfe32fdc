"""Imported rows: good rows are imported exactly, bad rows are refused by line, column and reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.usage.columns import ColumnNames
from billing.usage.details import CustomerDetails
from billing.usage.parsing import COLUMNS, check_columns, parse_account, parse_instance
from billing.usage.rows import AccountRow, InstanceRow, RowFault
from billing.usage.times import parse_time

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC)
INSTANCE = {
    "id": "i-1",
    "attribution_id": "team:a",
    "workspace_id": "w-1",
    "project_id": "",
    "owner_id": None,
    "workspace_class": "xl",
    "workspace_type": "regular",
    "creation_time": "2022-05-01T12:00:00Z",
    "started_time": "2022-05-01T14:00:00.123456+02:00",
    "stopping_time": "",
    "stopped_time": "2022-05-01 13:00:00+00",
    "quantity": "2.50",
    "updated_at": "2022-05-01T13:00:05Z",
}
ACCOUNT = dict.fromkeys(COLUMNS["accounts"], "") | {
    "attribution_id": "team:a",
    "currency": "USD",
    "started": "2022-05-01T12:00:00Z",
    "address_country": "de",
}
DETAILS = CustomerDetails(address={"country": "DE"})


def refused(row: object, column: str) -> str:
    """Return the reason of a row's only fault, after checking that it is a short line."""
    assert isinstance(row, list)
    (fault,) = row
    assert isinstance(fault, RowFault)
    assert (fault.line, fault.column) == (7, column)
    assert fault.reason.isprintable()
    assert len(fault.reason) < 250
    return fault.reason


def instance_with(column: str, value: object) -> InstanceRow | list[RowFault]:
    return parse_instance(7, INSTANCE | {column: value})


def account_with(column: str, value: object) -> AccountRow | list[RowFault]:
    return parse_account(7, ACCOUNT | {column: value})


def test_an_instance_is_taken_exactly() -> None:
    assert parse_instance(7, INSTANCE) == InstanceRow(
        line=7,
        id="i-1",
        attribution_id="team:a",
        workspace_id="w-1",
        workspace_class="xl",
        workspace_type="regular",
        creation_time=NOON,
        started_time=NOON + timedelta(microseconds=123456),
        stopped_time=NOON + timedelta(hours=1),
        quantity=Decimal("2.5"),
        updated_at=NOON + timedelta(hours=1, seconds=5),
    )


def test_a_row_of_the_least_says_which_columns_it_lacks() -> None:
    lacking = frozenset(COLUMNS["instances"]) - {"id"}
    assert parse_instance(7, {"id": "i-1"}) == InstanceRow(7, "i-1", missing=lacking)
    lacking = frozenset(COLUMNS["accounts"]) - {"attribution_id", "currency"}
    account = parse_account(7, {"attribution_id": "user:b", "currency": "jpy"})
    assert account == AccountRow(7, "user:b", None, "jpy", missing=lacking)
    empty = dict.fromkeys(COLUMNS["instances"]) | {"id": "i-1"}
    assert parse_instance(7, empty) == InstanceRow(7, "i-1")


def test_an_account_is_taken_exactly() -> None:
    assert parse_account(7, ACCOUNT) == AccountRow(7, "team:a", None, "usd", None, NOON, None, details=DETAILS)
    row = ACCOUNT | {
        "stripe_customer_id": " cus_1 ",
        "bill_after": "2022-05-01T12:00:00Z",
        "ended": "2022-06-01T00:00Z",
    }
    ended = datetime(2022, 6, 1, tzinfo=UTC)
    assert parse_account(7, row) == AccountRow(7, "team:a", "cus_1", "usd", NOON, NOON, ended, details=DETAILS)


@pytest.mark.parametrize("value", ["", None, "nobody", ":a", "org a", "team:a/b"])
def test_instances_without_a_sound_payer_are_imported_and_excluded_later(value: str | None) -> None:
    row = instance_with("attribution_id", value)
    assert isinstance(row, InstanceRow)
    assert row.attribution_id == (value or None)


def test_instances_that_stop_before_they_start_are_imported_and_excluded_later() -> None:
    assert isinstance(instance_with("stopped_time", "2020-01-01T00:00:00Z"), InstanceRow)


def test_columnar_files_have_their_own_types() -> None:
    given_types = {
        "id": 42,
        "attribution_id": b"team:a",
        "workspace_id": UUID(int=1),
        "project_id": Decimal("12"),
        "started_time": NOON.astimezone(timezone(timedelta(hours=5))),
    }
    row = parse_instance(7, given_types)
    assert isinstance(row, InstanceRow)
    assert replace(row, missing=frozenset()) == InstanceRow(
        7, "42", "team:a", "00000000-0000-0000-0000-000000000001", "12", started_time=NOON
    )
    assert row.started_time is not None
    assert row.started_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "is required but empty"),
        (None, "is required but empty"),
        ("  ", "is required but empty"),
        (b"", "is required but empty"),
        ("a" * 256, "has 256 characters; the maximum is 255"),
        ("a\x00b", "control or other invisible characters"),
        ("a\nb", "control or other invisible characters"),
        ("a\x1b[31mb", "control or other invisible characters"),
        ("a\u202eb", "control or other invisible characters"),
        ("a\ud800b", "control or other invisible characters"),
        (b"\xff", "is not UTF-8 text"),
        (1.5, "1.5 is not text"),
        (Decimal("1.5"), "Decimal('1.5') is not text"),
        (True, "True is not text"),
        (["a"], "['a'] is not text"),
        ({"a": "b" * 500}, "is not text"),
    ],
)
def test_ids_that_are_refused(value: object, reason: str) -> None:
    assert reason in refused(instance_with("id", value), "id")


TIMES = [
    ("2022-05-01T12:00:00", "has no time zone; add one, such as Z for UTC"),
    ("2022-05-01 12:00", "has no time zone; add one, such as Z for UTC"),
    (datetime(2022, 5, 1, 12), "has no time zone; write it as 2022-05-01T12:00:00Z if it is UTC"),  # noqa: DTZ001
    (date(2022, 5, 1), "is a date; write an instant such as"),
    ("2022-05-01", "is not a time; write ISO 8601 with a zone, such as"),
    ("2022-05-01T12:00.5Z", "is not a time"),
    ("2022-02-29T12:00:00Z", "is not a time: day is out of range"),
    ("2022-13-01T12:00:00Z", "is not a time"),
    ("2022-05-01T24:00:00Z", "is not a time"),
    ("2022-05-01T23:59:60Z", "is not a time"),
    ("2022-05-01T12:00:00+25:00", "is not a time"),
    ("2022-05-01T12:00:00 CET", "is not a time"),
    ("01/05/2022 12:00", "is not a time"),
    ("٢٠٢٢-05-01T12:00:00Z", "is not a time"),
    ("NULL", "is not a time"),
    (1651406400, "1651406400 is not a time"),
    (1651406400.5, "is not a time"),
    (True, "True is not a time"),
    ("0001-01-01T00:00:00Z", "is not between 2000 and 9998; leave it empty if it is not set"),
    ("1970-01-01T00:00:00Z", "is not between 2000 and 9998; leave it empty if it is not set"),
    ("1999-12-31T23:59:59.999999Z", "is not between 2000 and 9998; leave it empty if it is not set"),
    ("2000-01-01T00:00:00+00:01", "is not between 2000 and 9998; leave it empty if it is not set"),
    ("9999-12-31T23:59:59.9999999Z", "is not a time"),
    ("0001-01-01T00:00:00+05:00", "is not between 2000 and 9998"),
    ("9999-12-31T23:59:59Z", "is not between 2000 and 9998"),
    ("9999-12-31T23:59:59-05:00", "is not between 2000 and 9998"),
    ("2022-05-01T12:00:00\n2", "is not a time"),
]


@pytest.mark.parametrize(("value", "reason"), TIMES)
def test_times_that_are_refused(value: object, reason: str) -> None:
    assert reason in refused(instance_with("started_time", value), "started_time")
    assert reason in refused(account_with("started", value), "started")


@given(st.datetimes(datetime(2000, 1, 2), datetime(9998, 12, 30)), st.integers(-839, 839))  # noqa: DTZ001
def test_times_keep_every_microsecond_in_any_zone(naive: datetime, minutes: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    for text in (instant.isoformat(), instant.isoformat(" "), instant.isoformat().replace("T", "t"), instant):
        found = parse_time(text)
        assert found == instant
        assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2022-05-01T12:00:00Z", "2022-05-01T12:00:00.000000000Z", "2022-05-01T12:00Z", "2022-05-01 12:00:00z",
     "2022-05-01T17:30:00+0530", "2022-05-01T14:00+02", "2022-05-01T12:00:00.0-00:00"],
)  # fmt: skip
def test_ways_to_write_one_instant(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [("123456499", 123456), ("1234565", 123457), ("123456500", 123457), ("0000004", 0), ("999999499999", 999999),
     ("9999995", 1_000_000)],
)  # fmt: skip
def test_fractions_longer_than_microseconds_are_rounded(fraction: str, microseconds: int) -> None:
    assert parse_time(f"2022-05-01T12:00:00.{fraction}Z") == NOON + timedelta(microseconds=microseconds)


def test_the_year_2000_is_the_first() -> None:
    assert parse_time("2000-01-01T00:00:00Z") == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("column", ["creation_time", "started_time", "stopping_time", "stopped_time"])
def test_times_of_instances_that_lie_in_the_future_are_refused(column: str) -> None:
    allowed = "2022-05-01T12:05:00Z"
    assert isinstance(parse_instance(7, {"id": "i-1", column: allowed}, NOON), InstanceRow)
    for late in ("2022-05-01T12:05:00.000001Z", "2032-05-01T11:00:00Z"):
        reason = refused(parse_instance(7, {"id": "i-1", column: late}, NOON), column)
        assert reason.endswith("is in the future: the source's clock is ahead, or the year is mistyped")


def test_windows_can_be_planned() -> None:
    row = account_with("ended", "2040-01-01T00:00:00Z")
    assert isinstance(row, AccountRow)
    assert isinstance(account_with("started", "2039-01-01T00:00:00Z"), AccountRow)


def test_fractions_shorter_than_microseconds_are_fractions() -> None:
    assert parse_time("2022-05-01T12:00:00.5Z") == NOON + timedelta(milliseconds=500)


@given(st.text() | st.integers() | st.floats() | st.binary() | st.none() | st.lists(st.integers(), max_size=3))
def test_whatever_a_field_holds_it_is_taken_or_refused(value: object) -> None:
    for column in COLUMNS["instances"]:
        row = instance_with(column, value)
        assert isinstance(row, InstanceRow) or refused(row, column)
    for column in COLUMNS["accounts"]:
        account = account_with(column, value)
        assert isinstance(account, AccountRow) or refused(account, column)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("attribution_id", "", "is required but empty"),
        ("attribution_id", "a/b", "'a/b' is not an attribution id: write at most 133 letters, digits and ."),
        ("currency", "", "is required but empty"),
        ("currency", "dollars", "'dollars' is not a currency"),
        ("ended", "2022-05-01T12:00:00Z", "is not after started"),
        ("ended", "2022-05-01T11:59:59.999999Z", "is not after started"),
        ("kind", "collection_paused", "is not a kind of window: write paid or trial"),
    ],
)
def test_accounts_that_are_refused(column: str, value: str, reason: str) -> None:
    assert reason in refused(account_with(column, value), column)


def test_a_window_that_ended_must_have_started() -> None:
    row = parse_account(7, ACCOUNT | {"started": "", "ended": "2022-06-01T00:00:00Z"})
    assert "is set, but started is not" in refused(row, "ended")


def test_a_kind_is_that_of_a_window() -> None:
    found = account_with("kind", " trial ")
    assert isinstance(found, AccountRow)
    assert found.kind == "trial"
    assert "is set, but started is not" in refused(parse_account(7, ACCOUNT | {"started": "", "kind": "trial"}), "kind")


def test_all_faults_of_a_row_are_reported_at_once() -> None:
    row = parse_instance(7, INSTANCE | {"id": "", "started_time": "x", "stopped_time": "y", "memory": "3"})
    assert isinstance(row, list)
    assert [fault.column for fault in row] == ["memory", "id", "started_time", "stopped_time"]


def test_columns_of_a_file() -> None:
    assert check_columns("instances", COLUMNS["instances"]) == []
    assert check_columns("accounts", COLUMNS["accounts"]) == []
    assert check_columns("instances", ["id", "attribution_id", "creation_time", "started_time"]) == []
    assert check_columns("accounts", ["currency"]) == ["column 'attribution_id' is missing"]
    with pytest.raises(InputError) as caught:
        ColumnNames("accounts", {}).of_file(["attribution_ids", "currency"])
    assert str(caught.value) == (
        "column 'attribution_id' is missing; column 'attribution_ids' is not known; the columns of accounts are "
        "attribution_id, stripe_customer_id, currency, bill_after, started, ended, kind, name, email, address_line1, "
        "address_line2, address_city, address_state, address_postal_code, address_country, tax_id"
    )
