"""Plan what a batch of account rows changes and which rows are refused, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from billing.usage.rows import AccountRow, RowFault


@dataclass(frozen=True)
class WindowRecord:
    """A subscription window `[started, ended)`; `ended` is None while it is open."""

    id: int
    attribution_id: str
    stripe_subscription_id: str | None
    started: datetime
    ended: datetime | None
    part: int = 1


@dataclass(frozen=True)
class AccountRecord:
    """An account and its windows, in order."""

    attribution_id: str
    stripe_customer_id: str | None
    currency: str
    bill_after: datetime | None
    created_at: datetime
    windows: tuple[WindowRecord, ...]


@dataclass
class AccountPlan:
    """The changes to make: accounts to upsert (a merged row each), window ends by id, new windows; and the faults."""

    accounts: list[AccountRow] = field(default_factory=list)
    moved: dict[int, datetime | None] = field(default_factory=dict)
    inserted: list[AccountRow] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """The state of a batch's accounts in the database.

    `billing` are the accounts with open invoices, `in_stripe` those with open invoices that Stripe has; `owners` maps
    each Stripe customer to its account.
    """

    accounts: Mapping[str, AccountRecord]
    billing: frozenset[str]
    in_stripe: frozenset[str]
    owners: Mapping[str, str]


def plan_accounts(rows: Sequence[AccountRow], known: Known) -> AccountPlan:
    """Plan a batch as a whole: the order of an account's windows within it does not matter."""
    plan = AccountPlan()
    owners = dict(known.owners)
    by_account: dict[str, list[AccountRow]] = {}
    for row in rows:
        earlier = by_account.setdefault(row.attribution_id, [])
        fault = _fault(row, earlier, known, owners)
        if fault is not None:
            plan.faults.append(fault)
            continue
        earlier.append(row)
        if row.stripe_customer_id:
            owners[row.stripe_customer_id] = row.attribution_id
    for attribution_id, good in by_account.items():
        kept = _plan_windows(plan, good, known.accounts.get(attribution_id))
        if kept:
            plan.accounts.append(_merge(kept))
    plan.faults.sort(key=lambda fault: fault.line)
    return plan


def _fault(row: AccountRow, earlier: Sequence[AccountRow], known: Known, owners: Mapping[str, str]) -> RowFault | None:
    """Return why this row is refused regardless of its window: it contradicts the account or earlier rows."""
    for column in ("currency", "stripe_customer_id", "bill_after"):
        value = getattr(row, column)
        for other in earlier:
            theirs = getattr(other, column)
            if value and theirs and value != theirs:
                return RowFault(row.line, column, f"{value} contradicts {theirs} in line {other.line}")
    owner = owners.get(row.stripe_customer_id or "")
    if owner not in (None, row.attribution_id):
        return RowFault(row.line, "stripe_customer_id", f"{row.stripe_customer_id} belongs to {owner}")
    account = known.accounts.get(row.attribution_id)
    for column, frozen in (("currency", known.billing), ("stripe_customer_id", known.in_stripe)):
        if account is not None and row.attribution_id in frozen:
            value, current = getattr(row, column), getattr(account, column)
            if value and current and value != current:
                return RowFault(row.line, column, f"cannot change from {current} to {value} while invoices are open")
    if row.started is not None and row.ended is not None and row.ended <= row.started:
        return RowFault(row.line, "ended", "is not after started")
    return None


@dataclass
class _Window:
    """A planned window. `row` is the row that requests it; `before` is the window that it changes."""

    started: datetime
    ended: datetime | None
    row: AccountRow | None
    before: WindowRecord | None

    @property
    def line(self) -> int:
        return self.row.line if self.row else 0


def _plan_windows(plan: AccountPlan, rows: Sequence[AccountRow], account: AccountRecord | None) -> list[AccountRow]:
    """Plan the windows of one account's rows and return the rows that are kept."""
    windows = {w.started: _Window(w.started, w.ended, None, w) for w in (account.windows if account else ())}
    for row in rows:
        if row.started is not None:
            before = windows[row.started].before if row.started in windows else None
            windows[row.started] = _Window(row.started, row.ended, row, before)
    refused = set()
    while clash := _first_clash(windows.values()):
        loser, winner = sorted(clash, key=lambda window: window.line, reverse=True)
        if loser.row is None:  # both windows are the database's: not this batch's fault
            break
        until = winner.ended.isoformat() if winner.ended else "its end, which is open"
        reason = f"the window overlaps the one from {winner.started.isoformat()} to {until}"
        plan.faults.append(RowFault(loser.row.line, "ended" if loser.before else "started", reason))
        refused.add(id(loser.row))
        if loser.before is None:
            del windows[loser.started]
        else:
            windows[loser.started] = _Window(loser.started, loser.before.ended, None, loser.before)
    for window in windows.values():
        if window.row is not None and window.before is None:
            plan.inserted.append(window.row)
        elif window.before is not None and window.ended != window.before.ended:
            plan.moved[window.before.id] = window.ended
    return [row for row in rows if id(row) not in refused]


def _first_clash(windows: Iterable[_Window]) -> tuple[_Window, _Window] | None:
    ordered = sorted(windows, key=lambda window: window.started)
    for one, next_one in pairwise(ordered):
        if one.ended is None or one.ended > next_one.started:
            return one, next_one
    return None


def _merge(rows: Sequence[AccountRow]) -> AccountRow:
    """Merge an account's rows, which do not contradict each other, into one."""
    return AccountRow(
        line=rows[0].line,
        attribution_id=rows[0].attribution_id,
        stripe_customer_id=next((row.stripe_customer_id for row in rows if row.stripe_customer_id), None),
        currency=rows[0].currency,
        bill_after=next((row.bill_after for row in rows if row.bill_after), None),
    )
