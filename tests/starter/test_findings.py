"""A finding of the audit speaks to people, and its commands can be pasted."""

from __future__ import annotations

from dataclasses import replace

from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from starter.words.findings import billed_time, filled, in_words

FOUND = Finding(
    Kind.CLAIMED_BEYOND_RUNTIME,
    "21600000000 us between 2022-05-04T15:00:00+00:00 and 2022-05-04T21:00:00.5+00:00",
    "team:blue",
    "i 2",
    "2022-05/team:blue/period",
)


CREDIT = "Credit it (`perdure invoices credit KEY --instance ID --reason TEXT`), or `perdure instances import FILE`."
RUN = (
    "`perdure period run PERIOD --account ID` wakes `invoice/KEY`, not `credit-note/KEY`; `perdure explain ID` says it."
)


def test_commands_have_the_ids_of_the_finding() -> None:
    assert filled(CREDIT, FOUND) == (
        "Credit it (`perdure invoices credit 2022-05/team:blue/period --instance 'i 2' --reason TEXT`), "
        "or `perdure instances import FILE`."  # only a person knows the file
    )
    assert filled(RUN, FOUND) == (
        "`perdure period run 2022-05 --account team:blue` wakes `invoice/2022-05/team:blue/period`, "
        "not `credit-note/KEY`; `perdure explain 'i 2'` says it."
    )


def test_what_a_finding_does_not_name_stays() -> None:
    for remedy in (CREDIT, RUN):
        assert filled(remedy, Finding(Kind.OVERLAP, "")) == remedy


def test_figures_in_human_units() -> None:
    assert in_words(FOUND.detail) == "6.00 h between 2022-05-04 15:00:00 UTC and 2022-05-04 21:00:00 UTC"
    assert in_words("the draft\x1b[2J was edited; 12 us") == "the draft [2J was edited; 12 us"


def test_the_time_of_a_line() -> None:
    of_line = f"{FOUND.detail} on line 1"
    assert billed_time(replace(FOUND, detail=f"{of_line}; that line is for class xl")) == (21_600_000_000, 1)
    assert billed_time(replace(FOUND, detail=f"{of_line}, 2")) is None
    assert billed_time(FOUND) is None
