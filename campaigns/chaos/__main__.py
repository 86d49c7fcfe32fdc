"""`python -m campaigns.chaos`: random campaigns, each from a printed seed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import shutil
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from campaigns.chaos.campaign import Result, run_campaign
from campaigns.chaos.stand.folders import run_folder, seed_folder
from campaigns.chaos.stand.stand import bare_environment
from campaigns.chaos.stand.templates import Templates, make_templates
from campaigns.chaos.stripe.subscriptions import STRIPE_USES
from campaigns.chaos.world import ARRIVALS, arrival_of, stripe_of

_STORM_MINUTES = 0.2


def _arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, help="seed of the first campaign; the others count up from it; default: the time"
    )
    parser.add_argument("--campaigns", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="campaigns to run at a time")
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=_STORM_MINUTES, help="duration of the storm")
    parser.add_argument("--arrival", choices=ARRIVALS, help="how usage arrives; default: in turn, by seed")
    parser.add_argument("--stripe", choices=STRIPE_USES, help="how Stripe is used; default: in turn, by seed")
    parser.add_argument("--keep", action="store_true", help="keep the folders of clean campaigns too")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append a line of JSON for each campaign")
    return parser.parse_args(given)


@dataclass
class Runner:
    """Runs the campaigns, a few at a time, and reports each."""

    arguments: argparse.Namespace
    folder: Path
    templates: Templates
    log: TextIO | None
    results: list[Result] = field(default_factory=list)

    async def run(self, seeds: list[int]) -> None:
        """Run the campaign of every seed."""
        limit = asyncio.Semaphore(self.arguments.jobs)

        async def one(seed: int) -> None:
            async with limit:
                await self._one(seed)

        async with asyncio.TaskGroup() as group:
            for seed in seeds:
                group.create_task(one(seed))

    async def _one(self, seed: int) -> None:
        folder = seed_folder(self.folder, seed)
        given = self.arguments
        arrival, stripe = given.arrival or arrival_of(seed), given.stripe or stripe_of(seed)
        empty = Result(seed, given.accounts, arrival, stripe)
        result = await run_campaign(empty, given.minutes, folder, self.templates)
        self.results.append(result)
        print(reported(result), flush=True)
        if result.failures:
            options = f"--seed {seed} --accounts {given.accounts} --minutes {given.minutes:g} "
            options += f"--arrival {arrival} --stripe {stripe}"
            print(f"  repeat: make chaos ARGS={shlex.quote(options)}\n  logs: {folder}", flush=True)
            for failure in result.failures:
                print(f"  - {failure}", flush=True)
        elif not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
        if self.log is not None:
            self.log.write(json.dumps(result.document()) + "\n")
            self.log.flush()


def reported(result: Result) -> str:
    """Return one line about a campaign."""
    kills = ", ".join(f"{name} {count}" for name, count in sorted(result.kills.items())) or "none"
    money = ", ".join(f"{amount} {currency}" for currency, amount in sorted(result.money.items())) or "nothing"
    phases = " ".join(f"{name} {seconds:g}" for name, seconds in result.phases.items())
    verdict = "FAILED" if result.failures else "clean"
    return (
        f"seed {result.seed} ({result.arrival}, {result.stripe}): {verdict} in {result.seconds:.1f} s ({phases}); "
        f"kills: {kills}; faults: {result.faults}; invoices: {result.invoices} (+{result.dead} voided); "
        f"misbilled: {result.misbilled}; money: {money}"
    )


def summary(results: list[Result], seconds: float) -> str:
    """Return a summary of all campaigns."""
    kills: Counter[str] = Counter()
    for result in results:
        kills.update(result.kills)
    failed = sorted(result.seed for result in results if result.failures)
    faults, invoices = sum(result.faults for result in results), sum(result.invoices for result in results)
    return (
        f"campaigns: {len(results)} in {seconds:.0f} s, clean: {len(results) - len(failed)}, failed: {len(failed)}"
        f"{f' (seeds {failed})' if failed else ''}; kills: {sum(kills.values())} ({dict(sorted(kills.items()))}), "
        f"faults: {faults}, invoices: {invoices}"
    )


async def _main(arguments: argparse.Namespace) -> int:
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    print(f"seeds {seed} to {seed + arguments.campaigns - 1}", flush=True)
    begun = time.monotonic()
    with run_folder() as folder, arguments.log.open("a") if arguments.log else nullcontext() as log:
        templates = await make_templates(folder, bare_environment())
        try:
            runner = Runner(arguments, folder, templates, log)
            await runner.run(list(range(seed, seed + arguments.campaigns)))
        finally:
            templates.close()
    print(summary(runner.results, time.monotonic() - begun), flush=True)
    return int(any(result.failures for result in runner.results))


def main() -> None:
    """Run the campaigns and exit, with status 1 if one of them failed."""
    status = asyncio.run(_main(_arguments()))
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
