"""The possible books of an account, computed from the plan alone, without any of the product's code.

During the storm the order is unknown: the month's run, a late file, a cancellation, or a void can come first. So every
order is tried, in plain loops over intervals of whole microseconds, and the books must equal one of the results,
invoice by invoice, to the microsecond and the minor unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from campaigns.chaos.world import MINUTE, ChaosAccount, ChaosInstance, ChaosWorld

Piece = tuple[int, int]
Pieces = tuple[Piece, ...]
_EXACT = Context(prec=80)
_DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}


@dataclass(frozen=True, order=True)
class ReferenceBill:
    """One invoice: period, reason, amount (minor units), duration (µs), and pieces by instance."""

    period: str
    reason: str
    amount: int
    duration: int
    pieces: tuple[tuple[str, Pieces], ...]


@dataclass(frozen=True)
class State:
    """The history of an account so far. Bills are named by their purpose; at most one is live for each."""

    known: frozenset[int]
    cancelled: frozenset[int]
    bills: tuple[tuple[str, ReferenceBill], ...] = ()
    voided: bool = False

    def has(self, purpose: str) -> bool:
        """Whether a bill for this purpose is live."""
        return any(name == purpose for name, _ in self.bills)


@dataclass(frozen=True)
class ReferenceBooks:
    """One possible end of an account's books."""

    bills: tuple[ReferenceBill, ...]


def outcomes(world: ChaosWorld, account: ChaosAccount, voids: bool = False) -> set[ReferenceBooks]:
    """Return every possible end of the account's books, once both months are settled and all usage is known."""
    calm = frozenset(n for n, each in enumerate(account.subscriptions) if each.end is not None and not each.storm)
    storm = frozenset(n for n, each in enumerate(account.subscriptions) if each.storm)
    seen: set[State] = set()
    todo = [_calm(world, account, calm)]
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        todo += _next(world, account, state, storm, voids)
    complete = [each for each in seen if each.known == account.waves and storm <= each.cancelled]
    return {end for state in complete for end in _ends(world, account, state)}


def _calm(world: ChaosWorld, account: ChaosAccount, cancelled: frozenset[int]) -> State:
    """Return the state after the cancellations that precede the storm, applied one after the other."""
    state = State(frozenset(), frozenset())
    for number in sorted(cancelled):
        state = _cancel(world, account, State(state.known, state.cancelled | {number}, state.bills), number)
    return state


def _next(world: ChaosWorld, account: ChaosAccount, state: State, storm: frozenset[int], voids: bool) -> list[State]:
    after = [_run(world, account, state)]
    after += [_cancel(world, account, state, number) for number in state.cancelled]
    for wave in account.waves - state.known:
        after.append(State(state.known | {wave}, state.cancelled, state.bills, state.voided))
    for number in storm - state.cancelled:
        after.append(State(state.known, state.cancelled | {number}, state.bills, state.voided))
    if voids and not state.voided and state.has("period"):
        left = tuple(each for each in state.bills if each[0] != "period")
        after.append(State(state.known, state.cancelled, left, True))
    return after


def _ends(world: ChaosWorld, account: ChaosAccount, state: State) -> set[ReferenceBooks]:
    """Run the month for the last time, then the next one. Events of cancellations can arrive at any point."""
    ways = {_run(world, account, state)}
    for _ in range(2):
        ways |= {_cancel(world, account, way, number) for way in ways for number in way.cancelled}
        ways |= {
            _bill(world, account, way, "following", world.following, "period", world.following_end) for way in ways
        }
    final = {way for way in ways if way == _follow(world, account, way)}
    return {ReferenceBooks(tuple(sorted(bill for _, bill in way.bills))) for way in final}


def _follow(world: ChaosWorld, account: ChaosAccount, state: State) -> State:
    return _bill(world, account, state, "following", world.following, "period", world.following_end)


def _run(world: ChaosWorld, account: ChaosAccount, state: State) -> State:
    return _bill(world, account, state, "period", world.month, "period", world.end)


def _cancel(world: ChaosWorld, account: ChaosAccount, state: State, number: int) -> State:
    cutoff = account.subscriptions[number].end
    assert cutoff is not None
    period = world.before if cutoff <= world.start else world.month if cutoff <= world.end else world.following
    return _bill(world, account, state, f"cancellation {number}", period, "cancellation", cutoff)


def _bill(
    world: ChaosWorld, account: ChaosAccount, state: State, purpose: str, period: str, reason: str, cutoff: int
) -> State:
    """Bill all known, unbilled usage up to the cutoff, unless the bill exists or is below the minimum charge."""
    if state.has(purpose):
        return state
    billed: dict[str, list[Piece]] = {}
    for _, bill in state.bills:
        for name, pieces in bill.pieces:
            billed.setdefault(name, []).extend(pieces)
    taken: dict[str, Pieces] = {}
    time: dict[tuple[str, int], int] = {}
    for instance in account.instances:
        if instance.wave and instance.wave not in state.known:
            continue
        left = _billable(account, state, instance, cutoff, billed.get(instance.id, []))
        if not left:
            continue
        taken[instance.id] = merged(left)
        for piece in left:
            for version, length in _versions(world, piece):
                line = (instance.workspace_class or "default", version)
                time[line] = time.get(line, 0) + length
    amount = sum(line_amount(world, account.currency, *line, length) for line, length in time.items())
    if amount == 0 or amount < _minimum(world, account.currency, cutoff):
        return state
    bill = ReferenceBill(period, reason, amount, sum(time.values()), tuple(sorted(taken.items())))
    return State(state.known, state.cancelled, (*state.bills, (purpose, bill)), state.voided)


def _billable(
    account: ChaosAccount, state: State, instance: ChaosInstance, cutoff: int, billed: list[Piece]
) -> list[Piece]:
    if not instance.valid:
        return []
    end = cutoff if instance.end is None else min(instance.end, cutoff)
    start = max(instance.start, account.bill_after or 0)
    left = []
    for opened, closed in _windows(account, state):
        low, high = max(start, opened), end if closed is None else min(end, closed)
        if low < high:
            left.append((low, high))
    for gone_from, gone_to in billed:
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, gone_from)), (max(low, gone_to), high))
            if piece[0] < piece[1]
        ]
    return sorted(left)


def _windows(account: ChaosAccount, state: State) -> list[tuple[int, int | None]]:
    own = [
        (each.start, each.end if number in state.cancelled else None)
        for number, each in enumerate(account.subscriptions)
    ]
    return [*account.windows, *own]


def _versions(world: ChaosWorld, piece: Piece) -> list[tuple[int, int]]:
    """Return the rate versions in force during a piece, each with its duration."""
    found = []
    for number, rate in enumerate(world.rates):
        until = world.rates[number + 1].since if number + 1 < len(world.rates) else piece[1]
        low, high = max(piece[0], rate.since), min(piece[1], until)
        if low < high:
            found.append((number, high - low))
    return found


def line_amount(world: ChaosWorld, currency: str, workspace_class: str, version: int, duration: int) -> int:
    """Return a line's amount in minor units."""
    rate = world.rates[version]
    per_minute = Decimal(rate.credits_per_minute.get(workspace_class, rate.credits_per_minute["default"]))
    exact = _EXACT.divide(_EXACT.multiply(Decimal(duration), per_minute), Decimal(MINUTE))
    credits = exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN, _EXACT)
    minor = _EXACT.multiply(credits, Decimal(rate.price[currency])).scaleb(_DECIMALS[currency], _EXACT)
    return int(minor.quantize(Decimal(1), ROUND_HALF_UP, _EXACT))


def _minimum(world: ChaosWorld, currency: str, cutoff: int) -> int:
    before = [rate for rate in world.rates if rate.since < cutoff]
    return before[-1].minimum.get(currency, 0)


def merged(pieces: list[Piece]) -> Pieces:
    """Return the pieces sorted, with adjacent and overlapping ones merged."""
    result: list[Piece] = []
    for low, high in sorted(pieces):
        if result and result[-1][1] >= low:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)
