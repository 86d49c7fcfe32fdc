"""`make crash-points`: kill at every point of every scenario; exits with status 1 if anything differs.

make crash-points
make crash-points ARGS='--scenario voided --jobs 2'
make crash-points ARGS="--scenario paid --point 'settle_invoice#1/postgres.1/before'"
make crash-points ARGS='--list'
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from billing.text import plural
from campaigns.crash.campaign import JOBS, KillVerdict, Recording, kill, record
from campaigns.crash.points import step_of
from campaigns.crash.scenarios import SCENARIOS
from campaigns.crash.stage import Ground, prepared
from devstack import ports
from devstack.servers.postgres import Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from tests.support.databases import Databases
from tests.support.isolation import isolate
from tests.support.scratch import scratch_folder


@asynccontextmanager
async def _ground() -> AsyncIterator[Ground]:
    with scratch_folder() as scratch:
        folder = data_folder(scratch / "postgres", "tests", drop_user())

        def make(port: int) -> Postgres:
            return Postgres(folder, port, "for-tests-only", scratch / "postgres.log", durable=False)

        server = await ports.start_on_a_port(make)
        try:
            async with prepared(Databases(server.url("postgres")), scratch) as ground:
                yield ground
        finally:
            server.child.stop_signal = signal.SIGQUIT
            await server.stop()


async def main() -> int:
    """Play and kill as the arguments say. Returns the exit status."""
    given = _arguments()
    async with _ground() as ground:
        began = time.monotonic()
        names = given.scenario or list(SCENARIOS)
        played = {each for name in names for each in (name, SCENARIOS[name].like) if each}
        recording = await record(ground, [SCENARIOS[name] for name in SCENARIOS if name in played], given.jobs)
        # Coverage is judged only over all scenarios: one alone reaches few activities.
        problems = recording.problems() if not given.scenario else [r.error for r in recording.runs.values() if r.error]
        points = recording.points if given.all or given.point else recording.distinct()
        chosen = [(name, point) for name, point in points if name in names and _is_wanted(point, given)]
        print(
            f"{plural(len(chosen), 'crash point')} in {plural(len(names), 'scenario')}, "
            f"of {plural(len(recording.writing), 'step that writes', 'steps that write')}",
            flush=True,
        )
        if given.list:
            print(*(f"{name}: {point}" for name, point in chosen), sep="\n")
            return _told(problems)
        wanted: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in names]
        wanted += [(name, (point,)) for name, point in chosen]
        done = 0

        def tell(verdict: KillVerdict) -> None:
            nonlocal done
            done += 1
            if verdict.problems or given.verbose:
                print(f"[{done}/{len(wanted)}] {verdict}", flush=True)
            elif done % 50 == 0:
                print(f"[{done}/{len(wanted)}] {time.monotonic() - began:.0f} s", flush=True)

        verdicts = await kill(ground, recording, wanted, given.jobs, tell)
        _summary(recording, verdicts, time.monotonic() - began)
    failed = [verdict for verdict in verdicts if verdict.problems]
    return max(_told(problems), int(bool(failed)))


def _summary(recording: Recording, verdicts: list[KillVerdict], seconds: float) -> None:
    print("| step | points | killed | failed | not reached |\n| --- | --- | --- | --- | --- |")
    for step in sorted(recording.writing):
        own = [verdict for verdict in verdicts if verdict.points and step_of(verdict.points[0]) == step]
        missed = sum(bool(verdict.missed) for verdict in own)
        failed = sum(bool(verdict.problems) for verdict in own)
        print(f"| `{step}` | {len(own)} | {len(own) - missed} | {failed} | {missed} |")
    killed = [verdict for verdict in verdicts if verdict.points]
    missed = sum(bool(verdict.missed) for verdict in killed)
    failed = sum(bool(verdict.problems) for verdict in killed)
    unlike = sum(bool(verdict.problems) for verdict in verdicts) - failed
    print(
        f"{plural(len(killed), 'crash point')} in {seconds:.0f} s: {len(killed) - missed} killed, {failed} failed, "
        f"{missed} not reached this time; "
        f"{plural(len(verdicts) - len(killed), 'scenario')} repeated undisturbed, {unlike} failed"
    )


def _told(problems: list[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


def _is_wanted(point: str, given: argparse.Namespace) -> bool:
    named = not given.point or point in given.point
    return named and (not given.step or step_of(point) in given.step)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crash-points", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS), help="only this scenario; repeatable")
    parser.add_argument("--point", action="append", help="only this point; repeatable")
    parser.add_argument("--step", action="append", help="only points of this activity or command; repeatable")
    parser.add_argument("--jobs", type=int, default=JOBS, help="runs at the same time")
    parser.add_argument("--all", action="store_true", help="include the beginnings that scenarios share")
    parser.add_argument("--list", action="store_true", help="list the points without killing")
    parser.add_argument("--verbose", action="store_true", help="print a line for each point")
    return parser.parse_args()


if __name__ == "__main__":
    isolate()
    sys.exit(asyncio.run(main()))
