"""Figures of several rounds become one, and the page says which goals they miss, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import Figure, Goal, PartRun, at_least, at_most, write_json
from bench.report.page import PageRefusedError, PartText, page, read, texts
from bench.rounds import medians

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
MEASURED = ROOT / "bench" / "measured"
RUN = PartRun(12.3, 0.5, 1.9)


def test_the_median_of_each_figure_counts() -> None:
    rounds = iter([(70.0, 20.0), (50.0, 40.0), (55.0, 30.0)])

    def measure() -> list[Figure]:
        cpu, rate = next(rounds)
        return [Figure("p", "same", cpu, "ms", at_most(60)), Figure("p", "same", rate, "ms", at_least(35))]

    first, second = medians(measure, 3)
    assert (first.value, first.rounds, first.met) == (55.0, (70.0, 50.0, 55.0), True)
    assert (second.value, second.rounds, second.met) == (30.0, (20.0, 40.0, 30.0), False)


def saved(folder: Path, name: str, *figures: Figure) -> Path:
    path = folder / name
    write_json(figures, {figure.part: RUN for figure in figures}, path)
    return path


def test_a_page_is_made_from_what_was_saved(tmp_path: Path) -> None:
    earlier = saved(tmp_path, "1.json", Figure("b", "old", 1, "s"), Figure("a", "kept", 0.25, "s", rounds=(0.2, 0.3)))
    document = json.loads(earlier.read_text())
    earlier.write_text(json.dumps({**document, "measured_at": "2020-01-01T00:00:00Z"}))
    later = saved(tmp_path, "2.json", Figure("b", "slow | wide", 12_345, "s", at_most(100)))
    said = {"b": PartText("B", reasons={"slow | wide": "It waits."}), "a": PartText("A", "What it does.")}
    made = page(read([later, earlier]), said)
    assert "- **B, slow | wide**: 12,345 s, to reach ≤ 100.\n  It waits.\n" in made
    assert "| slow \\| wide | 12,345 s | ≤ 100 ✗ |  |  |" in made
    assert "## A\n\nWhat it does.\n\n| measured |" in made
    assert "| kept | 0.25 s |  | 0.2 to 0.3 (2) |  |" in made
    assert "old" not in made
    assert made.index("## B") < made.index("## A")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [({"b": PartText("B", reasons={"other": "It waits."})}, "no reason .*\n.*slow"), ({}, "no text for: b")],
)
def test_a_miss_without_a_reason_is_refused(tmp_path: Path, said: dict[str, PartText], complaint: str) -> None:
    path = saved(tmp_path, "1.json", Figure("b", "slow", 2, "s", Goal(1)))
    with pytest.raises(PageRefusedError, match=complaint):
        page(read([path]), said)


def test_the_page_is_that_of_the_measured_figures() -> None:
    made = page(read(sorted(MEASURED.glob("*.json"))), texts())
    assert PAGE.read_text() == made.rstrip() + "\n", "run `make performance`"
