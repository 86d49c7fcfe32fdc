"""`:since` is found where it is a name, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sources.sql.query import as_format, local_since, names_since, without_end


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ':since'",
        'SELECT ":since"',
        "SELECT `:since`",
        "SELECT 1 -- :since",
        "SELECT /* :since\n */ 1",
        "SELECT $$ :since $$",
        "SELECT $a$ ' :since $a$",
        "SELECT x::since",
        "SELECT :sincere",
    ],
)
def test_what_does_not_name_it(query: str) -> None:
    assert not names_since(query)
    assert as_format(query) == query


def test_it_is_bound_wherever_it_is_named() -> None:
    query = "SELECT a::text, '50%' FROM x WHERE 'it''s' <> b AND c >= :since OR d>=:since"
    assert names_since(query)
    assert as_format(query) == ("SELECT a::text, '50%%' FROM x WHERE 'it''s' <> b AND c >= %(since)s OR d>=%(since)s")
    assert without_end("SELECT 1 ; \n") == "SELECT 1"


@pytest.mark.parametrize(
    ("since", "local"),
    [
        ("2022-05-01T12:00", "2022-05-01T14:00"),
        ("2022-10-30T00:30", "2022-10-30T01:30"),  # 02:30, which clocks show again an hour later
        ("2022-10-30T01:30", "2022-10-30T02:30"),
        ("2022-03-27T00:30", "2022-03-27T01:30"),
    ],
)
def test_clocks_that_are_put_back_hide_nothing(since: str, local: str) -> None:
    found = local_since(datetime.fromisoformat(since).replace(tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(local)
