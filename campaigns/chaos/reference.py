"""The possible books of accounts, computed from the plan alone, without any of the product's code.

During the storm the order is unknown: the month's run, a late file, a cancellation, or a void can come first. So every
order is tried, in plain loops over intervals of whole microseconds, and the books must equal one of the results,
invoice by invoice, to the microsecond and the minor unit. Accounts that share instances are tried together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from campaigns.chaos.histories import CALM_WAVES, CORRECTIONS, HOUR, ChaosRow
from campaigns.chaos.prices import line_amount, minimum, versions
from campaigns.chaos.truth import Billed, Piece, Pieces, audited, common, merged, misbilled, segments, without
from campaigns.chaos.world import ChaosAccount, ChaosWorld, paid_windows

Listed = tuple[str, str, str, str, str, int]
"""A listed disagreement: account, period and reason of the invoice, instance, kind, and µs."""


@dataclass(frozen=True, order=True)
class BilledTime:
    """The time of an instance that an invoice bills for one class and quantity."""

    instance: str
    workspace_class: str
    quantity: Decimal
    pieces: Pieces


@dataclass(frozen=True, order=True)
class ReferenceBill:
    """One invoice: account, period, reason, currency, amount (minor units), duration (µs), and what it bills."""

    account: str
    period: str
    reason: str
    currency: str
    amount: int
    duration: int
    billed: tuple[BilledTime, ...]


Cycle = tuple[int, str, int]
"""The end of a subscription's cycle: the instant, the account, and the number of its subscription."""
Known = tuple[tuple[ChaosRow, ...], ...]
"""The rows of each instance that count."""


@dataclass(frozen=True)
class Purpose:
    """What a bill is for. `name`: an account has at most one live bill of each name and currency."""

    name: str
    period: str
    reason: str
    cutoff: int


@dataclass(frozen=True)
class State:
    """The history of a group so far. Bills are named by account and purpose; at most one is live for each.

    `cancelled`: account and number of each subscription that has ended. `arrived`: the late files. `cycled`: the cycles
    that have ended in the storm, with their ends.
    """

    arrived: frozenset[int]
    known: Known
    cancelled: frozenset[tuple[str, int]]
    bills: tuple[tuple[str, str, ReferenceBill], ...] = ()
    voided: frozenset[str] = frozenset()
    cycled: frozenset[Cycle] = frozenset()

    def has(self, account: str, purpose: str) -> bool:
        """Whether a bill for this purpose is live."""
        return any(each[:2] == (account, purpose) for each in self.bills)


@dataclass(frozen=True)
class ReferenceBooks:
    """One possible end of a group's books. `misbilled` and `audited`: what the status and the audit list."""

    bills: tuple[ReferenceBill, ...]
    misbilled: tuple[Listed, ...]
    audited: tuple[Listed, ...]


def outcomes(world: ChaosWorld, group: list[ChaosAccount], voided: frozenset[str] = frozenset()) -> set[ReferenceBooks]:
    """Return every possible end of these accounts' books, once both months are settled and all usage is known."""
    return _Group(world, group, voided).outcomes()


class _Group:
    """Accounts that share instances with each other and with no other account."""

    def __init__(self, world: ChaosWorld, accounts: list[ChaosAccount], voided: frozenset[str]) -> None:
        self._world = world
        self._accounts = accounts
        self._voids = voided & {each.attribution_id for each in accounts}
        self._instances = [each for account in accounts for each in account.instances]
        waves = {row.wave for each in self._instances for row in each.rows}
        self._late = frozenset(waves - {0, *CALM_WAVES})
        of = [{row.wave for row in each.rows} for each in self._instances if each.way == "query"]
        self._all_arrives_last = bool(of) and not any(own.issuperset(CALM_WAVES) for own in of)
        self._cancels = {
            (account.attribution_id, number): each.end
            for account in accounts
            for number, each in enumerate(account.subscriptions)
            if each.end is not None
        }
        self._storm = frozenset(
            (account.attribution_id, number)
            for account in accounts
            for number, each in enumerate(account.subscriptions)
            if each.storm
        )
        ends = [
            (at, account.attribution_id, number)
            for account in accounts
            for number, each in enumerate(account.subscriptions)
            for at in each.cycle_ends(world.last_cycle)
        ]
        self._cycles = frozenset(each for each in ends if world.cycles and each[0] == world.cycles.storm)
        self._cycles_before = sorted(each for each in ends if each[0] <= world.storm_begins)
        self._cycles_after = sorted(each for each in ends if each[0] > world.storm_begins and each not in self._cycles)

    def outcomes(self) -> set[ReferenceBooks]:
        seen: set[State] = set()
        todo = [self._calm()]
        while todo:
            state = todo.pop()
            if state not in seen:
                seen.add(state)
                todo += self._next(state)
        complete = [
            each
            for each in seen
            if each.arrived == self._late and self._storm <= each.cancelled and each.cycled == self._cycles
        ]
        return {end for state in complete for end in self._ends(state)}

    def _calm(self) -> State:
        """Return the state after the cancellations and cycles that precede the storm, one after the other."""
        first = tuple(tuple(row for row in each.rows if row.wave == 0) for each in self._instances)
        state = State(frozenset(), first, frozenset())
        ended = [(self._cancels[each], *each) for each in self._cancels.keys() - self._storm]
        for at, name, number in sorted([*ended, *self._cycles_before]):
            if (at, name, number) in ended:
                state = self._cancel(replace(state, cancelled=state.cancelled | {(name, number)}), name, number)
            else:
                state = self._cycle(state, (at, name, number))
        return state

    def _next(self, state: State) -> list[State]:
        after = [self._run(account, state) for account in self._accounts]
        after += [self._cancel(state, *each) for each in state.cancelled]
        after += [self._cycle(state, each) for each in state.cycled]
        # A correction whose command failed after its commit is imported again.
        after += [self._deliver(state, wave) for wave in self._late if wave not in state.arrived or wave in CORRECTIONS]
        after += [replace(state, cancelled=state.cancelled | {each}) for each in self._storm - state.cancelled]
        after += [replace(state, cycled=state.cycled | {each}) for each in self._cycles - state.cycled]
        for name in self._voids - state.voided:
            own = (name, f"period {self._account(name).currencies[0]}")  # the key without a currency
            if state.has(*own):
                left = tuple(each for each in state.bills if each[:2] != own)
                after.append(replace(state, bills=left, voided=state.voided | {name}))
        return after

    def _deliver(self, state: State, wave: int) -> State:
        """Import a late file. A fact that a correction has replaced stays replaced when it arrives again."""
        known = []
        for instance, before in zip(self._instances, state.known, strict=True):
            new = tuple(row for row in instance.rows if row.wave == wave)
            kept = () if new and wave in CORRECTIONS else before
            known.append(tuple(row for row in instance.rows if row in kept or row in new))
        return replace(state, arrived=state.arrived | {wave}, known=tuple(known))

    def _ends(self, state: State) -> set[ReferenceBooks]:
        """Run the month for the last time, import the late rows, then run the next month.

        Between the late rows cycles go on, and after the next month, too. What a database reports arrives before them
        only if a correction follows.
        """
        before, last = CALM_WAVES
        ways = self._with_events({self._run_all(state)})
        if not self._all_arrives_last:
            ways = self._with_events({self._deliver(way, before) for way in ways})
        for cycle in self._cycles_after:
            if cycle[0] <= self._world.following_end + HOUR:
                ways = {self._cycle(way, cycle) for way in ways}
        ways = {self._deliver(self._deliver(way, before), last) for way in ways}
        for _ in range(2):
            ways = self._with_events(ways)
            ways |= {self._follow(way) for way in ways}
        ways = {way for way in ways if way == self._follow(way)}
        for cycle in self._cycles_after:
            if cycle[0] > self._world.following_end + HOUR:
                ways = {self._cycle(way, cycle) for way in ways}
        return {self._books(way) for way in ways}

    def _with_events(self, ways: set[State]) -> set[State]:
        """Return the ways with those in which the events of cancellations and of the storm's cycles arrive now."""
        for _ in range(2):
            ways = ways | {self._cancel(way, *each) for way in ways for each in way.cancelled}
            ways = ways | {self._cycle(way, each) for way in ways for each in way.cycled}
        return ways

    def _run_all(self, state: State) -> State:
        for account in self._accounts:
            state = self._run(account, state)
        return state

    def _follow(self, state: State) -> State:
        for account in self._accounts:
            purpose = Purpose("following", self._world.following, "period", self._world.following_end)
            state = self._bill_all(account, state, purpose)
        return state

    def _run(self, account: ChaosAccount, state: State) -> State:
        return self._bill_all(account, state, Purpose("period", self._world.month, "period", self._world.end))

    def _bill_all(self, account: ChaosAccount, state: State, purpose: Purpose) -> State:
        """Bill the account in each currency, unless that is done by the invoices of a subscription that goes on."""
        going_on = {
            each.currency
            for number, each in enumerate(account.subscriptions)
            if each.is_short and (account.attribution_id, number) not in state.cancelled
        }
        for currency in account.currencies:
            if currency not in going_on:
                state = self._bill(account, state, purpose, currency)
        return state

    def _account(self, name: str) -> ChaosAccount:
        return next(each for each in self._accounts if each.attribution_id == name)

    def _cancel(self, state: State, name: str, number: int) -> State:
        cutoff, account = self._cancels[name, number], self._account(name)
        purpose = Purpose(f"cancellation {number}", self._world.month_of(cutoff), "cancellation", cutoff)
        return self._bill(account, state, purpose, account.subscriptions[number].currency)

    def _cycle(self, state: State, cycle: Cycle) -> State:
        """Bill on the subscription's own invoice what is unbilled up to the cycle's end."""
        at, name, number = cycle
        account = self._account(name)
        purpose = Purpose(f"cycle {at}", self._world.month_of(at), "subscription", at)
        return self._bill(account, state, purpose, account.subscriptions[number].currency)

    def _bill(self, account: ChaosAccount, state: State, purpose: Purpose, currency: str) -> State:
        """Bill all known, unbilled usage up to the cutoff, unless the bill exists or is below the minimum charge."""
        name, cutoff, purpose_name = account.attribution_id, purpose.cutoff, f"{purpose.name} {currency}"
        if state.has(name, purpose_name):
            return state
        taken: dict[tuple[str, str, Decimal], list[Piece]] = {}
        time: dict[tuple[str, int], Decimal] = {}
        for instance, known in zip(self._instances, state.known, strict=True):
            gone = [piece for *_, bill in state.bills for each in bill.billed if each.instance == instance.id
                    for piece in each.pieces]  # fmt: skip
            for segment in segments(instance, known):
                if segment.terms.payer != name:
                    continue
                chargeable = [(max(segment.start, account.bill_after or 0), min(segment.end, cutoff))]
                left = without(common(chargeable, paid_windows(account, state.cancelled, currency)), gone)
                workspace_class, quantity = segment.terms.workspace_class, segment.terms.quantity
                for piece in left:
                    taken.setdefault((instance.id, workspace_class, quantity), []).append(piece)
                    for version, length in versions(self._world, piece):
                        line = (workspace_class, version)
                        time[line] = time.get(line, Decimal(0)) + length * quantity
        amount = sum(line_amount(self._world, currency, *line, total) for line, total in time.items())
        if amount == 0 or amount < minimum(self._world, currency, cutoff):
            return state
        duration = sum(high - low for pieces in taken.values() for low, high in pieces)
        billed = tuple(sorted(BilledTime(*key, merged(pieces)) for key, pieces in taken.items()))
        bill = ReferenceBill(name, purpose.period, purpose.reason, currency, amount, duration, billed)
        return replace(state, bills=(*state.bills, (name, purpose_name, bill)))

    def _books(self, state: State) -> ReferenceBooks:
        wrong: Counter[tuple[str, str, str, str, str]] = Counter()
        found: Counter[tuple[str, str, str, str, str]] = Counter()
        of_instance = {each.id: (each, known) for each, known in zip(self._instances, state.known, strict=True)}
        windows = {each.attribution_id: paid_windows(each, state.cancelled) for each in self._accounts}
        for name, _, bill in state.bills:
            for time in bill.billed:
                billed = Billed(name, time.workspace_class, time.quantity, time.pieces)
                ran = segments(*of_instance[time.instance])
                about = (name, bill.period, bill.reason, time.instance)
                for kind, us in misbilled(billed, ran, windows[name]).items():
                    wrong[*about, kind] += us
                for kind, us in audited(billed, ran, windows[name]).items():
                    found[*about, kind] += us
        return ReferenceBooks(tuple(sorted(bill for *_, bill in state.bills)), listed(wrong), listed(found))


def listed(counts: Counter[tuple[str, str, str, str, str]]) -> tuple[Listed, ...]:
    """Return these disagreements in order."""
    return tuple(sorted((*about, us) for about, us in counts.items()))
