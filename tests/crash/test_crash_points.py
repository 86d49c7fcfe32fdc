"""Every step that writes is killed right before and right after one of its writes, and reaches the same end.

These tests kill at a few points of each step, and after every commit of an import, a correction, and the claims that
follow; `make crash-points` kills at every point.
"""

from __future__ import annotations

import pytest

from campaigns.crash import campaign
from campaigns.crash.books import differences
from campaigns.crash.campaign import Recording
from campaigns.crash.points import AFTER, side_of, step_of
from campaigns.crash.scenarios import FOLLOWED
from campaigns.crash.stage import Ground, Played

pytestmark = pytest.mark.waits


async def test_every_activity_that_writes_is_played_and_what_only_reads_never_writes(recording: Recording) -> None:
    assert recording.problems() == []


async def test_killed_before_and_after_a_write_of_each_step_all_comes_to_the_same_end(
    ground: Ground, recording: Recording
) -> None:
    chosen = recording.representative()
    wanted = {name: _with_every_commit(recording, name, chosen.pop(name, ())) for name in FOLLOWED} | chosen
    verdicts = await campaign.kill(ground, recording, list(wanted.items()))
    assert [str(verdict) for verdict in verdicts if verdict.problems or verdict.missed] == []
    killed = {(point.split("#")[0], point.rpartition("/")[2]) for points in wanted.values() for point in points}
    assert killed == {(step, side) for step in recording.writing for side in ("before", "after")}


def _with_every_commit(recording: Recording, name: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Add the points after each commit. One before a commit leaves what one after the commit before it leaves."""
    followed = [
        point
        for point in recording.runs[name].points
        if side_of(point) == AFTER and (" " in step_of(point) or step_of(point) == "claim_page")  # or a command
    ]
    return tuple(dict.fromkeys([*chosen, *followed]))


def test_what_is_forgotten_or_wrongly_named_is_reported(recording: Recording) -> None:
    """An activity that no scenario reaches, one wrongly listed as read-only, and one no longer registered."""
    run = Played([], ["load_invoice#1/postgres.1/before"], {}, [], {"load_invoice"}, {"load_invoice", "new"})
    reported = Recording({"some": run}).problems()
    assert "load_invoice is listed as read-only, but writes" in reported
    assert "new does not write in any scenario" in reported
    assert "retrieve_dispute is listed as read-only, but is no activity" in reported


def test_a_difference_is_reported(recording: Recording) -> None:
    books = recording.runs["imported"].books
    assert all(books[part] for part in ("postgres claim", "postgres invoice_line", "reports", "stripe invoices"))
    other = {**books, "stripe invoices": [*books["stripe invoices"], books["stripe invoices"][0]]}
    assert differences(books, books) == []
    assert differences(books, other)[0].startswith("stripe invoices: surplus ")
    assert differences(other, books)[0].startswith("stripe invoices: missing ")
