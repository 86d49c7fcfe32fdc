"""Carries out the plan while the month is billed: kills, faults, and the actions of operators and customers."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from campaigns.chaos.arrivals.delivery import Arrivals
from campaigns.chaos.books import fetch
from campaigns.chaos.files import import_command
from campaigns.chaos.plan import CampaignPlan, Deed
from campaigns.chaos.stand.stand import Stand
from campaigns.chaos.stripe.side import StripeSide, storm_instant
from campaigns.chaos.world import ChaosWorld

_RULES = {"fault": "faults", "hook": "webhook_faults"}
_PATIENCE_SECONDS = 60.0
_CLAIMED_SECONDS = 15.0  # a month can have nothing to claim


@dataclass
class Saboteur:
    """One storm. `counts`: the number of deeds by kind; `stuck`: commands that did not succeed within a minute."""

    stand: Stand
    stripe: StripeSide
    world: ChaosWorld
    arrivals: Arrivals | None = None
    counts: Counter[str] = field(default_factory=Counter)
    stuck: list[str] = field(default_factory=list)
    _clock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def rage(self, plan: CampaignPlan) -> None:
        """Run the month and do each deed at its time. Returns when the last is done and the storm is over."""

        async def one(deed: Deed) -> None:
            await asyncio.sleep(begun + deed.at - asyncio.get_running_loop().time())
            await self._do(deed)

        async with self.stand.storm(), asyncio.TaskGroup() as group:
            group.create_task(self._do(Deed(0, "run")))
            if plan.patient:
                await self._until_claimed()
            begun = asyncio.get_running_loop().time()
            for deed in plan.deeds:
                group.create_task(one(deed))
            await asyncio.sleep(plan.seconds)

    async def _until_claimed(self) -> None:
        give_up = asyncio.get_running_loop().time() + _CLAIMED_SECONDS
        claimed = (
            f"SELECT EXISTS (SELECT FROM invoice WHERE billing_period = '{self.world.month}' AND reason = 'period')"
        )
        while asyncio.get_running_loop().time() < give_up:
            if (await fetch(self.stand.postgres.url(), claimed))[0][0]:
                return
            await asyncio.sleep(0.1)

    async def _do(self, deed: Deed) -> None:
        details = deed.details
        self.counts[deed.what] += 1
        match deed.what:
            case "kill":
                await self.stand.kill(details["part"], details["down"])
            case "fault" | "hook":
                await self.stand.admin(_RULES[deed.what], details)
            case "forget":
                await self._forget()
            case "run":
                whose = ("--account", details["account"]) if details else ()
                await self._insist("period", "run", self.world.month, *whose)
            case "cut":
                await self.stand.cut(details["part"])
            case "late" if self.arrivals is not None:
                await self.arrivals.deliver(details["wave"])
            case "late":
                await self._insist(*import_command(self.stand.folder, details["wave"]))
            case "void":
                await self._void(f"{self.world.month}/{details['account']}/period")
            case "cancel" | "cycle" | "hold":
                await self._in_stripe(deed)

    async def _in_stripe(self, deed: Deed) -> None:
        match deed.what:
            case "cancel":
                await self._cancel(deed.details["account"], deed.details["number"])
            case "cycle" if self.world.cycles is not None:
                async with self._clock:
                    await self.stripe.clock(self.world.cycles.storm)
            case "hold":
                await self.stripe.hold(deed.details["account"], deed.details["number"])

    async def _insist(self, *command: str) -> None:
        """Retry the command, as an operator would, while a part that it needs is down."""
        give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            status, out, error = await self.stand.perdure(*command)
            if status == 0 or "there is no account" in error:  # it comes from Stripe later
                return
            if asyncio.get_running_loop().time() > give_up:
                self.stuck.append(f"perdure {' '.join(command)}: status {status}: {out[-300:]} {error[-300:]}")
                return
            await asyncio.sleep(1)

    async def _void(self, key: str) -> None:
        """Try once to void an invoice. It stays if it does not exist yet or a part that the command needs is down."""
        status, _, _ = await self.stand.perdure("invoices", "void", key, "--reason", "a mistake", timeout_seconds=20)
        self.counts["voids taken"] += status == 0

    async def _forget(self) -> None:
        """Have Stripe forget the month's idempotency keys of invoices, as after a long time. Customers' keys stay."""
        for account in self.world.accounts:
            key = f"perdure:{self.world.month}/{account.attribution_id}/period:1"
            for step in ("create", "finalize"):
                await self.stand.admin("expire_idempotency_keys", {"key": f"{key}:{step}"})

    async def _cancel(self, attribution_id: str, number: int) -> None:
        async with self._clock:
            await self.stripe.clock(storm_instant(self.world, attribution_id, number))
            await self.stripe.cancel(attribution_id, number)

    async def lay_down(self) -> int:
        """Remove all faults and deliver the webhooks that were held back. Returns how many faults occurred."""
        hits = 0
        for rules in _RULES.values():
            hits += sum(rule["hits"] for rule in (await self.stand.admin(rules, method="GET"))[rules])
            await self.stand.admin(rules, method="DELETE")
        await self.stand.admin("flush_webhooks", {"timeout_seconds": 10, "retry_now": True})
        return hits
