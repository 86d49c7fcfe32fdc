"""The possible books of accounts, computed from the plan alone, without any of the product's code.

During the storm the order is unknown: the month's run, a late file, a cancellation, or a void can come first. So every
order is tried, in plain loops over intervals of whole microseconds, and the books must equal one of the results,
invoice by invoice, to the microsecond and the minor unit. Accounts that share instances are tried together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from campaigns.chaos.histories import CALM_WAVES, CORRECTIONS, MINUTE, ChaosRow
from campaigns.chaos.truth import EVER, Billed, Piece, Pieces, audited, common, merged, misbilled, segments, without
from campaigns.chaos.world import ChaosAccount, ChaosWorld

_EXACT = Context(prec=80)
_DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
_STEPS = {"kwd": 10}
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
    """One invoice: account, period, reason, amount (minor units), duration (µs), and what it bills."""

    account: str
    period: str
    reason: str
    amount: int
    duration: int
    billed: tuple[BilledTime, ...]


Known = tuple[tuple[ChaosRow, ...], ...]
"""The rows of each instance that count."""


@dataclass(frozen=True)
class State:
    """The history of a group so far. Bills are named by account and purpose; at most one is live for each.

    `cancelled`: account and number of each subscription that has ended. `arrived`: the late files.
    """

    arrived: frozenset[int]
    known: Known
    cancelled: frozenset[tuple[str, int]]
    bills: tuple[tuple[str, str, ReferenceBill], ...] = ()
    voided: frozenset[str] = frozenset()

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

    def outcomes(self) -> set[ReferenceBooks]:
        seen: set[State] = set()
        todo = [self._calm()]
        while todo:
            state = todo.pop()
            if state not in seen:
                seen.add(state)
                todo += self._next(state)
        complete = [each for each in seen if each.arrived == self._late and self._storm <= each.cancelled]
        return {end for state in complete for end in self._ends(state)}

    def _calm(self) -> State:
        """Return the state after the cancellations that precede the storm, applied one after the other."""
        first = tuple(tuple(row for row in each.rows if row.wave == 0) for each in self._instances)
        state = State(frozenset(), first, frozenset())
        for name, number in sorted(self._cancels.keys() - self._storm):
            state = self._cancel(replace(state, cancelled=state.cancelled | {(name, number)}), name, number)
        return state

    def _next(self, state: State) -> list[State]:
        after = [self._run(account, state) for account in self._accounts]
        after += [self._cancel(state, *each) for each in state.cancelled]
        # A correction whose command failed after its commit is imported again.
        after += [self._deliver(state, wave) for wave in self._late if wave not in state.arrived or wave in CORRECTIONS]
        after += [replace(state, cancelled=state.cancelled | {each}) for each in self._storm - state.cancelled]
        for name in self._voids - state.voided:
            if state.has(name, "period"):
                left = tuple(each for each in state.bills if each[:2] != (name, "period"))
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
        """Run the month for the last time, import the late rows, then run the next month."""
        ways = self._with_cancellations({self._run_all(state)})
        for wave in CALM_WAVES:
            ways = {self._deliver(way, wave) for way in ways}
        for _ in range(2):
            ways = self._with_cancellations(ways)
            ways |= {self._follow(way) for way in ways}
        return {self._books(way) for way in ways if way == self._follow(way)}

    def _with_cancellations(self, ways: set[State]) -> set[State]:
        """Return the ways with those in which the events of cancellations arrive now."""
        for _ in range(2):
            ways = ways | {self._cancel(way, *each) for way in ways for each in way.cancelled}
        return ways

    def _run_all(self, state: State) -> State:
        for account in self._accounts:
            state = self._run(account, state)
        return state

    def _follow(self, state: State) -> State:
        for account in self._accounts:
            state = self._bill(
                account, state, "following", (self._world.following, "period", self._world.following_end)
            )
        return state

    def _run(self, account: ChaosAccount, state: State) -> State:
        return self._bill(account, state, "period", (self._world.month, "period", self._world.end))

    def _cancel(self, state: State, name: str, number: int) -> State:
        account = next(each for each in self._accounts if each.attribution_id == name)
        world, cutoff = self._world, self._cancels[name, number]
        period = world.before if cutoff <= world.start else world.month if cutoff <= world.end else world.following
        return self._bill(account, state, f"cancellation {number}", (period, "cancellation", cutoff))

    def _bill(self, account: ChaosAccount, state: State, purpose: str, about: tuple[str, str, int]) -> State:
        """Bill all known, unbilled usage up to the cutoff, unless the bill exists or is below the minimum charge."""
        period, reason, cutoff = about
        name = account.attribution_id
        if state.has(name, purpose):
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
                left = without(common(chargeable, _windows(account, state.cancelled)), gone)
                workspace_class, quantity = segment.terms.workspace_class, segment.terms.quantity
                for piece in left:
                    taken.setdefault((instance.id, workspace_class, quantity), []).append(piece)
                    for version, length in _versions(self._world, piece):
                        line = (workspace_class, version)
                        time[line] = time.get(line, Decimal(0)) + length * quantity
        amount = sum(line_amount(self._world, account.currency, *line, total) for line, total in time.items())
        if amount == 0 or amount < _minimum(self._world, account.currency, cutoff):
            return state
        duration = sum(high - low for pieces in taken.values() for low, high in pieces)
        billed = tuple(sorted(BilledTime(*key, merged(pieces)) for key, pieces in taken.items()))
        bill = ReferenceBill(name, period, reason, amount, duration, billed)
        return replace(state, bills=(*state.bills, (name, purpose, bill)))

    def _books(self, state: State) -> ReferenceBooks:
        wrong: Counter[tuple[str, str, str, str, str]] = Counter()
        found: Counter[tuple[str, str, str, str, str]] = Counter()
        of_instance = {each.id: (each, known) for each, known in zip(self._instances, state.known, strict=True)}
        windows = {each.attribution_id: _windows(each, state.cancelled) for each in self._accounts}
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


def _windows(account: ChaosAccount, cancelled: Iterable[tuple[str, int]]) -> Pieces:
    own = [
        (each.start, each.end if (account.attribution_id, number) in cancelled else None)
        for number, each in enumerate(account.subscriptions)
    ]
    return merged((opened, EVER if closed is None else closed) for opened, closed in [*account.windows, *own])


def _versions(world: ChaosWorld, piece: Piece) -> list[tuple[int, int]]:
    """Return the rate versions in force during a piece, each with its duration."""
    found = []
    for number, rate in enumerate(world.rates):
        until = world.rates[number + 1].since if number + 1 < len(world.rates) else piece[1]
        low, high = max(piece[0], rate.since), min(piece[1], until)
        if low < high:
            found.append((number, high - low))
    return found


def line_amount(world: ChaosWorld, currency: str, workspace_class: str, version: int, quantity_us: Decimal) -> int:
    """Return a line's amount in minor units. `quantity_us`: the sum of duration (µs) times quantity."""
    rate = world.rates[version]
    per_minute = Decimal(rate.credits_per_minute.get(workspace_class, rate.credits_per_minute["default"]))
    exact = _EXACT.divide(_EXACT.multiply(quantity_us, per_minute), Decimal(MINUTE))
    credits = exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN, _EXACT)
    minor = _EXACT.multiply(credits, Decimal(rate.price[currency])).scaleb(_DECIMALS[currency], _EXACT)
    step = _STEPS.get(currency, 1)
    return int(_EXACT.divide(minor, Decimal(step)).quantize(Decimal(1), ROUND_HALF_UP, _EXACT)) * step


def _minimum(world: ChaosWorld, currency: str, cutoff: int) -> int:
    before = [rate for rate in world.rates if rate.since < cutoff]
    return before[-1].minimum.get(currency, 0)
