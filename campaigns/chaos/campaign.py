"""One campaign: prepare, storm, calm, verdict."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from campaigns.chaos.arrivals.delivery import Arrivals
from campaigns.chaos.arrivals.judging import judge_arrivals
from campaigns.chaos.books import RUNNING, fetch, pending_of, read_workflows
from campaigns.chaos.files import AGAIN, import_command, refused_again, write_accounts, write_instances, write_rates
from campaigns.chaos.histories import CALM_WAVES, HOUR
from campaigns.chaos.plan import CampaignPlan, make_plan
from campaigns.chaos.saboteur import Saboteur
from campaigns.chaos.stand.stand import Stand
from campaigns.chaos.stand.templates import Templates
from campaigns.chaos.stripe.side import StripeSide, stripe_side
from campaigns.chaos.stripe.subscriptions import StripeUse
from campaigns.chaos.verdict import judge
from campaigns.chaos.world import Arrival, ChaosWorld, make_world

_CALM_SECONDS = 60.0
_SETTLE_SECONDS = 120.0
_DOWN_SECONDS = 5.0


class NotCalmError(Exception):
    """An awaited state was not reached in time; the message names it and what still waits."""


@dataclass
class Result:
    """The result of a campaign; clean if `failures` is empty. `phases`: seconds per phase."""

    seed: int
    accounts: int
    arrival: Arrival
    stripe: StripeUse
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    deeds: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    invoices: int = 0
    dead: int = 0
    claims: int = 0
    misbilled: int = 0
    money: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the result as a document for the log, a line of JSON."""
        return {"verdict": "failed" if self.failures else "clean", **asdict(self)}


async def run_campaign(result: Result, minutes: float, folder: Path, templates: Templates) -> Result:
    """Run the campaign of `result` in an empty folder. All processes that it started have ended afterwards."""
    begun = time.monotonic()
    try:
        async with campaign(result, minutes, folder, templates) as started:
            await started.run()
    except Exception as error:
        result.failures.append(f"{type(error).__name__}: {error}")
        if not isinstance(error, NotCalmError):
            result.failures.append(traceback.format_exc())
    result.seconds = time.monotonic() - begun
    (folder / "verdict.txt").write_text("\n".join(result.failures) or "clean")
    return result


@asynccontextmanager
async def campaign(result: Result, minutes: float, folder: Path, templates: Templates) -> AsyncIterator[Campaign]:
    """Yield the campaign of `result` with all parts running, and end them afterwards."""
    world = make_world(result.seed, result.accounts, result.arrival, result.stripe)
    plan = make_plan(result.seed, world, minutes * 60)
    (folder / "plan.txt").write_text(_reported(result.seed, world, plan))
    write_rates(world, folder / "rates.toml")
    settings = {"BILLING_TIME_ZONE": world.zone, "PAGE_SIZE": str(plan.page_size)}
    if world.cycles is not None:
        settings["CHARGE_ON"] = "subscription"
    async with (
        Stand(folder, settings, templates, arrives=world.arrival == "live") as stand,
        stripe_side(stand) as stripe,
    ):
        arrivals = Arrivals(stand, world, result.seed) if world.arrival == "live" else None
        yield Campaign(stand, stripe, world, plan, result, arrivals)


def _reported(seed: int, world: ChaosWorld, plan: CampaignPlan) -> str:
    about = f"seed {seed}: {world.month} in {world.zone}, {len(world.accounts)} accounts, storm of {plan.seconds:g} s, "
    about += f"usage arrives: {world.arrival}, Stripe: {world.cycles or 'plain'}"
    return "\n".join([about, *(str(deed) for deed in plan.deeds)]) + "\n"


@dataclass
class Campaign:
    """A campaign and its phases, in order."""

    stand: Stand
    stripe: StripeSide
    world: ChaosWorld
    plan: CampaignPlan
    result: Result
    arrivals: Arrivals | None = None
    _mark: float = field(default_factory=time.monotonic)
    _cycled: int = 0

    def __post_init__(self) -> None:
        if self.world.cycles is not None:
            self._cycled = self.world.cycles.storm

    async def run(self) -> None:
        """Run all phases, from an empty database to the verdict."""
        self._phase("start")
        await self._prepare()
        self._phase("prepare")
        saboteur = Saboteur(self.stand, self.stripe, self.world, self.arrivals)
        await saboteur.rage(self.plan)
        self._phase("storm")
        self.result.faults = await saboteur.lay_down()
        self.result.failures += saboteur.stuck
        await self._calm()
        self._phase("calm")
        verdict = await judge(self.stand, self.stripe, self.world, self.plan.voided)
        self._phase("verdict")
        if self.arrivals is not None:
            self.result.failures += self.arrivals.failures + await judge_arrivals(self.stand, self.world)
            saboteur.counts += self.arrivals.counts
        self.result.kills, self.result.deeds = dict(self.stand.kills), dict(saboteur.counts)
        self.result.invoices, self.result.dead, self.result.claims = verdict.invoices, verdict.dead, verdict.claims
        self.result.money, self.result.misbilled = dict(verdict.money), verdict.misbilled
        self.result.failures += verdict.failures

    def _phase(self, name: str) -> None:
        now = time.monotonic()
        self.result.phases[name], self._mark = round(now - self._mark, 1), now

    async def _prepare(self) -> None:
        if self.arrivals is not None:
            await self.arrivals.prepare()
        else:
            write_instances(self.world, self.stand.folder, self.result.seed)
            await self._must("instances", "import", str(self.stand.folder / "instances.csv"))
        await self.stripe.prepare(self.world, self._settled)
        write_accounts(self.world, self.stripe, self.stand.folder / "accounts.csv")
        await self._must("accounts", "import", str(self.stand.folder / "accounts.csv"))
        await self._settled()
        await self._until_windows(storm=False)
        await self._until_rest()

    async def _calm(self) -> None:
        """Do what operators do after an outage: catch up, run the month again, import what came late, run the next."""
        await self._must("stripe", "catch-up")
        await self._until_windows(storm=True)
        await self._until_rest("subscription/")
        self.result.failures += await self.stripe.release(self.world)
        await self.stripe.collect_again()
        await self.stand.admin("flush_webhooks", {"timeout_seconds": 20})
        await self._until_rest("subscription/")  # a run that comes before the end of a pause is known waits for it
        for _ in range(2):
            await self._bill(self.world.month)
        if self.arrivals is not None:
            await self._report_the_rest(self.arrivals)
        else:
            before, last = CALM_WAVES
            await self._must(*import_command(self.stand.folder, before))
            await self._cycles(self.world.following_end + HOUR)
            await self._must(*import_command(self.stand.folder, last))
            await self._import_again()
            await self._follow()
        await self._cycles(self.world.last_cycle)
        await self.stand.admin("flush_webhooks", {"timeout_seconds": 10, "retry_now": True})
        await self._until_rest()

    async def _report_the_rest(self, arrivals: Arrivals) -> None:
        """Report what is known late, and run the next month before anything of the last wave can be known.

        A person has the source read before corrections. While the last wave is reported, nobody reads and nothing is
        folded, so that the run has to wait for it.
        """
        before, last = CALM_WAVES
        await arrivals.deliver(before)
        await arrivals.read()
        await self._cycles(self.world.following_end + HOUR)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.stand.kill("sources", _DOWN_SECONDS))
            await arrivals.deliver(last)
            await self._follow()

    async def _cycles(self, until: int) -> None:
        """Let the cycles end that are left up to an instant, one after the other."""
        ends = {
            at for account in self.world.accounts for each in account.subscriptions for at in each.cycle_ends(until)
        }
        for at in sorted(each for each in ends if each > self._cycled):
            await self._settled()
            await self.stripe.clock(at)
            await self._settled()
            self._cycled = at

    async def _settled(self) -> None:
        """Wait until all events are delivered and no workflow runs."""
        await self.stand.admin("flush_webhooks", {"timeout_seconds": 20})
        await self._until_rest()

    async def _follow(self) -> None:
        await self.stripe.clock(self.world.following_end + HOUR)
        await self._bill(self.world.following)

    async def _import_again(self) -> None:
        """Import an older export: it changes nothing, and what it does not know of is refused by name."""
        _, out, error = await self.stand.perdure("instances", "import", str(self.stand.folder / AGAIN), "--json")
        try:
            document = json.loads(out)
        except ValueError:
            raise NotCalmError(f"the older export was not imported: {out[-500:]} {error[-500:]}") from None
        refused = {row["reason"].partition(" ")[0] for row in document["refused"]}
        expected = {each.id for each in self.world.instances if refused_again(each)}
        changed = {name: document[name] for name in ("inserted", "updated", "stale") if document[name]}
        if refused != expected or changed:
            self.result.failures.append(
                f"the older export: refused {sorted(refused)}, expected {sorted(expected)}; changed: {changed}"
            )

    async def _bill(self, month: str) -> None:
        status, out, error = await self.stand.perdure("period", "run", month, "--wait", timeout_seconds=_SETTLE_SECONDS)
        if status == 0:
            return
        self.result.failures.append(f"period run {month}: status {status}: {out[-600:]} {error[-600:]}")
        await self._awaited(f"period run {month}")
        await self.stand.perdure("invoices", "retry", "--all", "--period", month)

    async def _must(self, *command: str) -> None:
        status, out, error = await self.stand.perdure(*command)
        if status != 0:
            raise NotCalmError(f"perdure {' '.join(command)}: status {status}: {out[-500:]} {error[-500:]}")

    async def _until_windows(self, *, storm: bool) -> None:
        """Wait until Postgres has every subscription, and the end of each canceled one."""
        wanted: Counter[bool] = Counter()
        for account in self.world.accounts:
            for each in account.subscriptions:
                wanted[each.end is not None and (storm or not each.storm)] += 1
        rows = (
            "SELECT NOT bool_or(upper_inf(during)) FROM subscription WHERE stripe_subscription_id IS NOT NULL "
            "GROUP BY stripe_subscription_id"
        )
        give_up = time.monotonic() + _CALM_SECONDS
        while Counter(row[0] for row in await fetch(self.stand.postgres.url(), rows)) != wanted:
            if time.monotonic() > give_up:
                await self._awaited("the subscriptions' windows")
                raise NotCalmError(f"Postgres does not have {dict(wanted)} subscriptions (by ended or not)")
            await asyncio.sleep(0.1)

    async def _until_rest(self, kind: str = "") -> None:
        """Wait until no workflow runs whose id starts with `kind`."""
        give_up = time.monotonic() + _CALM_SECONDS
        while left := await self._running(kind):
            if time.monotonic() > give_up:
                await self._awaited("rest")
                raise NotCalmError(f"still running: {', '.join(left[:10])}")
            await asyncio.sleep(0.2)

    async def _running(self, kind: str) -> list[str]:
        listed = await read_workflows(self.stand.temporal.http_url, RUNNING)
        return [name for each in listed if (name := each["execution"]["workflowId"]).startswith(kind)]

    async def _awaited(self, what: str) -> None:
        """Write to a file what each running workflow waits for."""
        lines = [f"{what}: not reached; running: {self.stand.running()}"]
        for each in await read_workflows(self.stand.temporal.http_url, "ExecutionStatus = 'Running'"):
            name = each["execution"]["workflowId"]
            lines.append(f"{name}: {'; '.join(await pending_of(self.stand.temporal.http_url, name))}")
        (self.stand.folder / f"awaited-{time.monotonic_ns()}.txt").write_text("\n".join(lines) + "\n")
