"""The kinds of audit findings: those written by SQL and code, those of the enum, and their remedies."""

from __future__ import annotations

import re

from billing.audit.kinds import Kind
from starter.words.remedies import REMEDIES, what_to_do
from tests.architecture.sources import ROOT, files

# Words in the audit's SQL that are not kinds.
OTHER_WORDS = {
    *("claim_never_twice", "claim_during_form", "segment_never_two_at_once", "segment_during_form"),  # constraints
    *("plan_cache_mode", "force_custom_plan", "max_parallel_workers_per_gather", "work_mem"),  # PostgreSQL's settings
    *("no_creation_time", "no_started_time", "ends_before_start"),  # why an instance is invalid
    *("no_attribution_id", "malformed_attribution_id", "no_such_account"),
    "collection_paused",  # a kind of windows
    *("credits_per_minute", "price_per_credit", "effective_from"),  # keys of a stored rate card
    *("needs_response", "warning_needs_response"),  # states of a dispute
}


def _words_of_the_sql() -> set[str]:
    statements = [path.read_text() for path in (ROOT / "storage" / "audit").glob("*.sql")]
    assert statements
    return {word for text in statements for word in re.findall(r"'([a-z]+(?:_[a-z]+)*)'", text)}


def _kinds_of_the_code() -> set[Kind]:
    sources = [path.read_text() for room in ("activities", "reconciliation") for path in files(room)]
    return {Kind[name] for text in sources for name in re.findall(r"\bKind\.([A-Z_]+)", text)}


def test_the_sql_writes_no_kind_that_the_enum_lacks() -> None:
    unknown = {word for word in _words_of_the_sql() if "_" in word} - OTHER_WORDS - set(Kind)
    assert not unknown


def test_every_kind_is_written_somewhere() -> None:
    assert {Kind(word) for word in _words_of_the_sql() & set(Kind)} | _kinds_of_the_code() == set(Kind)


def test_every_kind_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Kind)
    assert all(REMEDIES.values())


def test_a_stored_kind_of_another_release_is_read() -> None:
    assert what_to_do(Kind.OVERLAP) == REMEDIES[Kind.OVERLAP]
    assert what_to_do("a_kind_of_the_next_release") == ""
