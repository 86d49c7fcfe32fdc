"""Play scenarios undisturbed, then with kills at their points, and compare the books at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from campaigns.crash.books import differences
from campaigns.crash.points import side_of, step_of
from campaigns.crash.scenarios import SCENARIOS
from campaigns.crash.stage import Ground, Played, Scenario, play

JOBS = 12
"""Number of concurrent runs: most of the time they wait for a killed step's timeout."""
_TRIES = 3
"""Concurrent work changes its order now and then, so a run can miss a point."""

READ_ONLY = frozenset(
    [
        "ask_customers",
        "find_credited_invoice",
        "find_customers_to_ask",
        "link_stripe_invoice",
        "list_customers",
        "list_stripe_accounts",
        "list_stripe_credit_notes",
        "list_stripe_events",
        "load_credit_note",
        "load_event_cursor",
        "load_invoice",
        "look_up_stripe_invoice",
        "period_progress",
        "plan_fetch",
        "retrieve_dispute",
        "retrieve_stripe_invoice",
        "retrieve_subscription",
        "count_credit_notes",
        "list_adoptable_invoices",
        "list_refunds",
        "list_all_stripe_credit_notes",
        "list_stripe_invoices",
        "list_suspect_credit_notes",
        "list_suspect_invoices",
        "look_at_stripe_invoices",
    ]
)
"""Activities that only read. Each is played, and reported if it writes."""

_EITHER = frozenset(["bill_stripe_invoice", "settle_billed"])
"""After a kill in the first, the invoice goes on by separate steps: no later point of these two is reached."""


@dataclass
class KillVerdict:
    """The result of a scenario with kills at some points; undisturbed if `points` is empty."""

    scenario: str
    points: tuple[str, ...]
    missed: list[str]
    problems: list[str]

    def __str__(self) -> str:
        what = "ok" if not self.problems else "FAILED"
        where = ", ".join(self.points) or "undisturbed"
        missed = f" (not reached: {', '.join(self.missed)})" if self.missed else ""
        return "\n    ".join([f"{what} {self.scenario}: {where}{missed}", *self.problems])


@dataclass
class Recording:
    """The undisturbed run of each scenario."""

    runs: dict[str, Played] = field(default_factory=dict)

    @property
    def points(self) -> list[tuple[str, str]]:
        """Every point that was passed, with its scenario."""
        return [(name, point) for name, run in self.runs.items() for point in run.points]

    def distinct(self) -> list[tuple[str, str]]:
        """Return the points without the beginnings that a scenario shares with the one named by `like`."""
        kept = []
        for name, run in self.runs.items():
            other = self.runs.get(SCENARIOS[name].like)
            pairs = zip(run.points, other.points if other else (), strict=False)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            kept += [(name, point) for point in run.points[shared:]]
        return kept

    @property
    def writing(self) -> set[str]:
        """Activities and commands that were seen writing."""
        return {step_of(point) for _, point in self.points}

    def problems(self) -> list[str]:
        """Return errors, faults, activities that no scenario plays, and activities wrongly listed as read-only."""
        registered = set().union(*(run.registered for run in self.runs.values()))
        ran = set().union(*(run.ran for run in self.runs.values()))
        reported = [f"{name}: {run.error}" for name, run in self.runs.items() if run.error]
        reported += [f"{name}: {fault}" for name, run in self.runs.items() for fault in run.faults]
        reported += [f"{name} is listed as read-only, but writes" for name in sorted(READ_ONLY & self.writing)]
        reported += [
            f"{name} is listed as read-only, but no scenario plays it"
            for name in sorted((READ_ONLY & registered) - ran)
        ]
        reported += [f"{name} is listed as read-only, but is no activity" for name in sorted(READ_ONLY - registered)]
        reported += [f"{name} does not write in any scenario" for name in sorted(registered - READ_ONLY - self.writing)]
        return reported

    def representative(self) -> dict[str, tuple[str, ...]]:
        """Return one point before and one after a write of each step, spread evenly over the scenarios.

        Every kill costs a wait, so the run with the most kills takes longest and comes first.
        """
        firsts: dict[tuple[str, str], dict[str, str]] = {}
        for name, point in self.points:
            firsts.setdefault((step_of(point), side_of(point)), {}).setdefault(name, point)
        chosen: dict[str, list[str]] = {name: [] for name in self.runs}
        for reached in sorted(firsts.values(), key=len):  # first those with the fewest scenarios to choose from
            free = [name for name, point in reached.items() if not _excluded(point, chosen[name])]
            fewest = min(free or reached, key=lambda name: len(chosen[name]))
            chosen[fewest].append(reached[fewest])
        most_first = sorted(chosen, key=lambda name: len(chosen[name]), reverse=True)
        return {name: tuple(chosen[name]) for name in most_first if chosen[name]}


def _excluded(point: str, chosen: Iterable[str]) -> bool:
    """Whether a run that is killed at the chosen points does not come to this one."""
    return step_of(point) in _EITHER and any(step_of(other) in _EITHER for other in chosen)


async def record(ground: Ground, scenarios: Iterable[Scenario] = SCENARIOS.values(), jobs: int = JOBS) -> Recording:
    """Play the scenarios undisturbed."""
    several = asyncio.Semaphore(jobs)

    async def one(scenario: Scenario) -> Played:
        async with several:
            return await play(ground, scenario)

    scenarios = list(scenarios)
    runs = await asyncio.gather(*map(one, scenarios))
    return Recording({scenario.name: run for scenario, run in zip(scenarios, runs, strict=True)})


async def kill(
    ground: Ground,
    recording: Recording,
    wanted: Sequence[tuple[str, tuple[str, ...]]],
    jobs: int = JOBS,
    tell: Callable[[KillVerdict], None] = lambda _: None,
) -> list[KillVerdict]:
    """Play each scenario once for each of its sets of points, killed at each of them."""
    several = asyncio.Semaphore(jobs)

    async def one(name: str, points: tuple[str, ...]) -> KillVerdict:
        async with several:
            verdict = await _killed(ground, recording.runs[name], SCENARIOS[name], points)
        tell(verdict)
        return verdict

    return list(await asyncio.gather(*(one(name, points) for name, points in wanted)))


async def _killed(ground: Ground, undisturbed: Played, scenario: Scenario, points: tuple[str, ...]) -> KillVerdict:
    missed = list(points)
    for _ in range(_TRIES):
        run = await play(ground, scenario, points)
        missed = [point for point in missed if point not in run.killed]
        problems = [run.error] if run.error else run.faults + differences(undisturbed.books, run.books)
        if problems or not missed:
            break
    return KillVerdict(scenario.name, points, missed, problems)
