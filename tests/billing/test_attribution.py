"""Attribution ids: Python and PostgreSQL accept the same ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.attribution import PATTERN, is_attribution_id, parse_attribution_id
from billing.errors import InputError


@given(st.from_regex(r"(team|user):[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}", fullmatch=True))
def test_well_formed_ids_are_taken_as_they_are(text: str) -> None:
    assert is_attribution_id(text)
    assert parse_attribution_id(text) == text
    assert "/" not in text


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert is_attribution_id(text) == bool(re.fullmatch(PATTERN.strip("^$"), text, re.ASCII))


@pytest.mark.parametrize(
    "text",
    ["", "team", "team:", ":a", "org:a", "Team:a", "team:a\n", "\nteam:a", "team: a", "team:a b", "team:-a", "team:.",
     "team:..", "team:a/b", "team:a/../b", "team:a\\b", "team:a%2f", "team:é", "team:a:b", "team:" + "a" * 129],
)  # fmt: skip
def test_malformed_ids_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="team:<id> or user:<id>"):
        parse_attribution_id(text)
