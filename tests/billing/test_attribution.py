"""Attribution ids: Python and PostgreSQL accept the same ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.attribution import PATTERN, is_attribution_id, parse_attribution_id
from billing.errors import InputError

OF_0_1 = r"(team|user):[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}"


@given(st.from_regex(OF_0_1, fullmatch=True) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@+=~-]{0,132}", fullmatch=True))
def test_well_formed_ids_are_taken_as_they_are(text: str) -> None:
    assert is_attribution_id(text)
    assert parse_attribution_id(text) == text
    assert "/" not in text


@pytest.mark.parametrize(
    "text",
    ["acme", "42", "org_01H8XGJWBWBAQ4ZZ", "4f1c6a5e-2f6b-4a0e-9c4e-2f6b4a0e9c4e", "team:a", "Team:a", "team:", "a:b:c",
     "a..b", "a" * 133, "team:" + "a" * 128],
)  # fmt: skip
def test_any_id_of_a_customer_can_pay(text: str) -> None:
    assert parse_attribution_id(text) == text


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert is_attribution_id(text) == bool(re.fullmatch(PATTERN.strip("^$"), text, re.ASCII))


@pytest.mark.parametrize(
    "text",
    ["", ":a", ".", "..", ".a", "-a", "--json", "team:a\n", "\nteam:a", "team: a", "team:a b", " a", "a/b", "team:a/b",
     "team:a/../b", "team:a\\b", "team:a%2f", "é", "team:é", "a'b", "a,b", "a" * 134, "team:" + "a" * 129],
)  # fmt: skip
def test_malformed_ids_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="is not an attribution id: write at most 133 letters, digits and "):
        parse_attribution_id(text)
